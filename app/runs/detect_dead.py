"""The test whether a job is dead: no process is left that would end it.

Standard library alone, because the launcher imports this.
"""

from app import processes
from app.processes import Process
from app.records.job import Job
from app.runs.queue_file import queued


def supervisor_of(job: Job) -> Process | None:
    """The living supervisor of a job, or None.

    Raises OSError if it is unknown whether the supervisor lives.
    """
    claim = job.claimed_by()
    found = job.run_of(claim).supervisor()
    if found is None and claim is not None and claim.role == "supervisor":
        # The CLI has not been started yet, or the record is damaged.
        found = claim.process
    return found if found is not None and processes.identify(found.pid) == found else None


def is_dead(job: Job) -> bool:
    """Whether no process is left that would end this job.

    Raises OSError if that is unknown: such a process may live.
    """
    if job.has_ended() and job.end() is None:
        # The record is damaged: it must be written again, or the job would run for ever.
        return True
    if job.run.was_started():
        return supervisor_of(job) is None
    if job.is_claimed():
        claim = job.claimed_by()
        return claim is None or processes.identify(claim.process.pid) != claim.process
    request = job.request()
    if request is not None and processes.identify(request.starter.pid) == request.starter:
        return False
    return job.id not in queued(job.state)
