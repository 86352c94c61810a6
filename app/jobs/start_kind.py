"""The way in which a job got its process of the CLI."""

from contextlib import suppress
from typing import Literal

from app.metrics import Metrics
from app.records.job import Job
from app.state import files

#: `cold`: one that was started for it, with a new session; `resumed`: one that was started for it
#: and loads a session; `kept`: one that was kept for the session; `spare`: one that was started
#: ahead.
StartKind = Literal["cold", "resumed", "kept", "spare"]


def start_kind(job: Job) -> StartKind | None:
    """How the job got its process; None if it never had one, or its records are damaged."""
    claim, start = job.claimed_by(), job.prepared.start()
    if claim is None or claim.role != "supervisor" or start is None:
        return None
    if claim.run != job.id:
        return "kept" if start.talks else "spare"
    is_resumed = any(str(argument).startswith("--resume=") for argument in start.arguments)
    return "resumed" if is_resumed else "cold"


def count_first_line(metrics: Metrics, job: Job, seconds: float) -> None:
    """Count that the first line of a job came so many seconds after its request."""
    kind = start_kind(job)
    if kind is not None:
        metrics.count_run_first_line(kind, seconds)
        with suppress(OSError):
            # Only the ledger of usage has it, and lacks it then.
            files.make_link(_first_line(job), str(round(seconds * 1000)))


def first_line_of(job: Job) -> int | None:
    """Milliseconds from the job's request to its first line, if a client waited for that."""
    text = files.read_link(_first_line(job)) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _first_line(job: Job) -> str:
    return f"{job.path}/first_line"
