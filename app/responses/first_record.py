"""The record of a response that goes on in the background, before its answer.

It is written before the job is started: the process that serves the request may be killed at any
moment, and the job goes on.
"""

import logging
from collections.abc import Callable

from app.auth.users import User
from app.errors import Unavailable
from app.records.job import Job
from app.responses.store import ResponseStore, StoredResponse

log = logging.getLogger(__name__)


class FirstRecord:
    """The record; `record_of` makes it for the id of a job."""

    def __init__(
        self, store: ResponseStore, user: User, record_of: Callable[[str], StoredResponse]
    ) -> None:
        self._store = store
        self._user = user
        self._record_of = record_of
        self._job: Job | None = None

    def write(self, job: Job) -> None:
        """Write it, unless an earlier request with the same key has. Raises Unavailable."""
        self._job = job
        record = self._record_of(job.id)
        try:
            if self._store.find(record.id, self._user) is None:
                self._store.add(record)
        except OSError as error:
            raise Unavailable(f"cannot store the response: {error.strerror}") from error

    def remove_without_job(self) -> None:
        """Remove it if its job was not started; its conversation then ends as before."""
        if self._job is None or self._job.exists():
            return
        try:
            self._store.remove(self._record_of(self._job.id))
        except OSError as error:
            log.error("cannot remove the response of job %s: %s", self._job.id, error)
