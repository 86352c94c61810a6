"""Messages and control requests to a job that runs, put into its inbox for its supervisor."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

from app import audit
from app.auth.users import User
from app.cli.control_requests import ControlRequest
from app.errors import DiskFull, JobHasEnded, PlainJob, TooManyMessages
from app.jobs.service import JobService
from app.jobs.store import Spool
from app.records.inbox import Inbox, InboxClosed, Kind
from app.records.job import Job
from app.runs.wake_supervisor import wake_supervisor_of
from app.state.disk import is_out_of_room

log = logging.getLogger(__name__)

#: Messages, control requests and answers that one job takes.
MOST_ITEMS = 1000


class SentRequest(NamedTuple):
    """A control request that was sent; its answer stands in the output behind `position`."""

    job: Job
    id: str
    position: int


class Talk:
    """Sends to the jobs of one state folder, in a worker.

    A job that has not started yet gets what was sent once its turn begins.
    """

    def __init__(self, jobs: JobService, spool: Spool, min_free: int) -> None:
        """With fewer than `min_free` bytes on the disk, messages are refused."""
        self._jobs = jobs
        self._spool = spool
        self._min_free = min_free

    def find(self, job_id: str, user: User) -> Job:
        """A job that can be talked to now. Raises JobNotFound, JobHasEnded and PlainJob."""
        job = self._jobs.find(job_id, user)
        self._spool.close_if_dead(job)
        if job.end() is not None:
            raise JobHasEnded(job_id)
        if not Inbox(job.path).exists():
            raise PlainJob(job_id)
        return job

    def send_message(self, job_id: str, user: User, content: str | list[Any]) -> str:
        """Send a message, a text or blocks, to the model; returns its id.

        Raises JobNotFound, JobHasEnded, PlainJob, TooManyMessages and DiskFull.
        """
        job = self.find(job_id, user)
        if self._spool.free() < self._min_free:
            raise DiskFull
        message_id = str(uuid4())
        self._put(job, "message", message_id, {"content": content, "user": user.id})
        audit.sent(job.id, user.name, f"the message {message_id}")
        return message_id

    def send_request(self, job_id: str, user: User, request: ControlRequest) -> SentRequest:
        """Send a control request to the CLI. Raises what `send_message` raises."""
        job = self.find(job_id, user)
        # A run that serves the job later may have another output.
        position = 0 if job.span_start() is None else job.size()
        request_id = str(uuid4())
        fields = {"request": request.fields, "spoils": request.spoils}
        self._put(job, "control", request_id, fields)
        audit.sent(job.id, user.name, f"the control request {request.fields['subtype']}")
        return SentRequest(job, request_id, position)

    def _put(self, job: Job, kind: Kind, item_id: str, fields: Mapping[str, Any]) -> None:
        inbox = Inbox(job.path)
        if len(inbox.names()) >= MOST_ITEMS:
            raise TooManyMessages(MOST_ITEMS)
        try:
            inbox.put(kind, item_id, fields)
        except InboxClosed:
            raise JobHasEnded(job.id) from None
        except OSError as error:
            if is_out_of_room(error):
                raise DiskFull from None
            raise
        wake(job)


def wake(job: Job) -> None:
    """Wake the job's supervisor, if it has one; without one, the job has not started yet."""
    with suppress(OSError):
        # It is unknown whether the supervisor lives: each use of the job looks again.
        wake_supervisor_of(job)
