"""Idempotency keys: a request that is sent again with its key gets the same job.

As in the HTTP working group's draft `Idempotency-Key`: a client that does not know whether
its request arrived sends it again. `STATE_DIR/keys/<digest of user and key>` contains the job and
a digest of the request, as long as the job is kept.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from app.errors import IdempotencyKeyReused
from app.records.job import Job
from app.records.job_id import is_job_id
from app.state.files import discard
from app.state.lock import LockTimeout, locked
from app.state.record_file import read_record, write_record

log = logging.getLogger(__name__)

# Keys between two pauses in which other greenlets run.
_PORTION = 50


class Key(NamedTuple):
    """The key that a client sent, and a digest of the request.

    `serves` tells whether the job of an earlier request with this key is that of this request, too;
    None: every job is.
    """

    text: str
    request: str
    serves: Callable[[Job], bool] | None = None

    def accepts(self, job: Job) -> bool:
        """Whether this job of an earlier request with the key is that of this request."""
        return not _was_lost_before_its_start(job) and (self.serves is None or self.serves(job))


class Keys:
    """All keys of one state folder."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._folder = f"{state}/keys"

    def find_or_create(self, user: str, key: Key, create: Callable[[], Job]) -> tuple[Job, bool]:
        """The job of this user's key, and whether `create` made it.

        A job that was lost before any process could start it counts as none: its worker died
        before the client got a response.

        Raises IdempotencyKeyReused if the key was sent with another request, OSError, and what
        `create` raises.
        """
        digest = hashlib.sha256(json.dumps([user, key.text]).encode()).hexdigest()
        path = f"{self._folder}/{digest}"
        with locked(self._folder):
            record = read_record(path) or {}
            job = self._job(record)
            if job is not None and key.accepts(job):
                if record.get("request") != key.request:
                    raise IdempotencyKeyReused
                return job, False
            job = create()
            write_record(path, {"job": job.id, "request": key.request})
            return job, True

    def forget_removed(self) -> None:
        """Remove the keys of jobs that are no longer kept."""
        with os.scandir(self._folder) as entries:
            for number, entry in enumerate(entries):
                if number % _PORTION == 0:
                    time.sleep(0)
                if self._named_by(read_record(entry.path) or {}) is not None:
                    continue
                try:
                    # The key may be used again at any moment.
                    with locked(self._folder):
                        if self._job(read_record(entry.path) or {}) is None:
                            discard(entry.path)
                except LockTimeout as error:
                    log.warning("old idempotency keys are kept for now: %s", error)
                    return

    def _job(self, record: Mapping[str, Any]) -> Job | None:
        """The job that a key's record names, if it is still kept."""
        job = self._named_by(record)
        return None if job is None or job.request() is None else job

    def _named_by(self, record: Mapping[str, Any]) -> Job | None:
        """The job that a key's record names, if its folder is there."""
        job_id = record.get("job")
        if not isinstance(job_id, str) or not is_job_id(job_id):
            return None
        job = Job(self._state, job_id)
        return job if job.exists() else None


def _was_lost_before_its_start(job: Job) -> bool:
    end, claim = job.end(), job.claimed_by()
    is_lost = end is not None and end.status == "lost"
    return is_lost and claim is not None and claim.role == "closer"
