"""The jobs whose clients have left: a request that is repeated soon can join one.

An SDK that has waited in vain closes its connection, and sends the same request again. For `grace`
seconds the job goes on for that, as the file `STATE_DIR/left/<digest of the request>.<job>`: who
removes it has the job, be it a request at any worker, or the process that cancels the job.
"""

import logging
import os
import threading
import time

from app.auth.users import User
from app.jobs.service import JobService
from app.records.job import Job
from app.records.job_id import is_job_id
from app.state.files import make_folder, replace_file

log = logging.getLogger(__name__)

#: Seconds after its time for which a job is left to the worker whose client has left.
MARGIN = 10.0


class LeftJobs:
    """The left jobs of one state folder, for all workers. With a `grace` of 0 there are none."""

    def __init__(self, state: str, jobs: JobService, grace: float) -> None:
        self._folder = f"{state}/left"
        self._state = state
        self._jobs = jobs
        self._grace = grace

    def leave(self, job: Job, request: str) -> None:
        """Wait until a repeat of the request joins the job, and cancel the job if none does.

        `request` is the request's digest.
        """
        path = f"{self._folder}/{request}.{job.id}"
        written = self._write(path) if self._grace else None
        if written is None:
            self._jobs.abandon(job)
            return
        waiting = _Waiting()
        with self._jobs.ends_at_stop(waiting):
            waiting.wait(self._grace)
        if waiting.is_stopped:
            # Another worker cancels the job.
            return
        if _written_at(path) == written and _take(path):
            self._jobs.abandon(job)

    def join(self, request: str, user: User) -> Job | None:
        """The job that an equal request of this user has left, for this caller alone."""
        for path, digest, job in self._entries():
            written = _written_at(path)
            is_near = written is not None and time.time_ns() - written < self._grace * 1e9
            if digest != request or not is_near:
                continue
            asked = job.request()
            if asked is not None and asked.user == user.id and _take(path):
                return job
        return None

    def cancel_forgotten(self) -> None:
        """Cancel the jobs whose worker has ended before it could."""
        oldest = time.time_ns() - (self._grace + MARGIN) * 1e9
        for path, _, job in self._entries():
            written = _written_at(path)
            if written is not None and written < oldest and _take(path):
                self._jobs.abandon(job)

    def _entries(self) -> list[tuple[str, str, Job]]:
        """The path of each file, with the digest and the job in its name."""
        try:
            names = os.listdir(self._folder)
        except OSError:
            # No client has left yet.
            return []
        parts = [(name, *name.partition(".")[::2]) for name in names]
        return [
            (f"{self._folder}/{name}", digest, Job(self._state, job))
            for name, digest, job in parts
            if is_job_id(job)
        ]

    def _write(self, path: str) -> int | None:
        """Write a file; returns when, in nanoseconds, or None if that fails."""
        try:
            # A job may have removed the folder.
            make_folder(self._folder)
            replace_file(path, b"")
        except OSError as error:
            log.warning("cannot record that a client has left: %s", error)
            return None
        return _written_at(path)


class _Waiting:
    """A wait that the end of this process stops."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.is_stopped = False

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)

    def stop(self, reason: str) -> None:
        self.is_stopped = True
        self._event.set()


def _written_at(path: str) -> int | None:
    try:
        return os.stat(path, follow_symlinks=False).st_mtime_ns
    except OSError:
        return None


def _take(path: str) -> bool:
    """Remove a file; whether it was there."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True
