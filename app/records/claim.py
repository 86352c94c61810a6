"""The claim of a job, which is the text of a link.

Standard library alone, because the supervisor imports this.
"""

from typing import Literal, NamedTuple

from app import processes
from app.processes import Process
from app.records.job_id import is_job_id

Role = Literal["supervisor", "closer", "worker"]


class Claim(NamedTuple):
    """The process that claimed a job, to run it (`supervisor`) or to close it (`closer`).

    A `worker` has claimed a job that asks the model's API without the CLI, and ends it by itself.
    `run` is the id of the run that serves the job, `span_start` where the job begins in the
    run's output; None means that the link `span` says it, once it is known.
    """

    role: str
    process: Process
    run: str
    span_start: int | None = 0


def text_of(claim: Claim) -> str:
    """The text of a claim's link, which also names this boot of the machine."""
    pid, started = claim.process
    start = "-" if claim.span_start is None else claim.span_start
    return f"{claim.role} {pid} {started} {processes.boot_id()} {claim.run} {start}"


def parse_claim(text: str) -> Claim | None:
    """The claim with this text, or None if it is damaged or of another boot of the machine."""
    try:
        role, pid, started, boot_id, run, start = text.split(" ")
        span_start = None if start == "-" else int(start)
        claim = Claim(role, Process(int(pid), int(started)), run, span_start)
    except ValueError:
        return None
    return claim if boot_id == processes.boot_id() and is_job_id(run) else None
