"""Idempotency keys: the same request, sent again, means the same job.

As in the HTTP working group's draft `Idempotency-Key`: a client that does not know whether
its request arrived sends it once more. `STATE_DIR/keys/<digest of user and key>` holds the
job and a digest of the request, for as long as the job is kept.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from app.errors import IdempotencyKeyReused
from app.jobs.directory import JobDirectory, read_record, write_record


class Key(NamedTuple):
    """What a client calls its request, and a digest of all that the request asks for."""

    text: str
    request: str


class Keys:
    """All keys of one state folder."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._folder = f"{state}/keys"

    def find_or_create(
        self, user: str, key: Key, create: Callable[[], JobDirectory]
    ) -> tuple[JobDirectory, bool]:
        """The job of this user's key, and whether `create` made it just now.

        Raises IdempotencyKeyReused if another request had the key, what `create` raises, and
        OSError.
        """
        digest = hashlib.sha256(json.dumps([user, key.text]).encode()).hexdigest()
        path = f"{self._folder}/{digest}"
        lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # For the time of a few system calls, in which this process does nothing else.
            fcntl.flock(lock, fcntl.LOCK_EX)
            directory = self._job(path)
            if directory is not None:
                if (read_record(path) or {}).get("request") != key.request:
                    raise IdempotencyKeyReused
                return directory, False
            directory = create()
            write_record(path, {"job": directory.id, "request": key.request})
            return directory, True
        finally:
            # Under gevent the descriptor is closed only when others have had their turn, and
            # one of them may wait for this lock.
            fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)

    def forget_removed(self) -> None:
        """Remove the keys of jobs that are kept no more."""
        for name in os.listdir(self._folder):
            path = f"{self._folder}/{name}"
            with suppress(FileNotFoundError):
                # One that is written at this moment has no job that we could find.
                if "." not in name and self._job(path) is None:
                    os.unlink(path)

    def _job(self, path: str) -> JobDirectory | None:
        record = read_record(path)
        if record is None:
            return None
        directory = JobDirectory(self._state, record["job"])
        return None if directory.job() is None else directory
