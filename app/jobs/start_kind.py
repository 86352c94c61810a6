"""The way in which a job got its process of the CLI."""

from typing import Literal

from app.metrics import Metrics
from app.records.job import Job

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
