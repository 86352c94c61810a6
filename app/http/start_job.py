"""Starting a job for the current request."""

from typing import NamedTuple

from app.auth.users import User
from app.http.error_handlers import mark_job_started
from app.jobs.service import JobService
from app.jobs.spec import JobSpec
from app.records.job import Job


class StartedJob(NamedTuple):
    """The job of a request; not `is_new` if an earlier request started it.

    That had the same key; or it was the same, and `was_left`: its client has gone.
    """

    job: Job
    is_new: bool
    cancel_on_disconnect: bool
    was_left: bool = False

    @property
    def has_answer(self) -> bool:
        """Whether the job's answer is that of this request, and not an earlier one's."""
        return self.is_new or self.was_left


def start_job(jobs: JobService, spec: JobSpec, user: User, *, detached: bool = False) -> StartedJob:
    """Start a job; raises what `JobService.start` raises.

    It is detached if the request says so, if the caller does, or if it has an Idempotency-Key:
    its client wants to send the request again if the response is lost.
    """
    detached = detached or spec.detached or spec.key is not None
    job, is_new = jobs.start(spec, user=user, detached=detached)
    mark_job_started(job.id)
    return StartedJob(job, is_new, cancel_on_disconnect=not detached)


def join_job(job: Job) -> StartedJob:
    """The job that an equal request has left, as the current request's."""
    mark_job_started(job.id)
    return StartedJob(job, is_new=False, cancel_on_disconnect=True, was_left=True)
