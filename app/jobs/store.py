"""All jobs of one state folder: make room for them, find them, remove them."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.records import session_users
from app.records.job import Job, is_job_id
from app.runs.close_lost import close_lost
from app.runs.liveness import is_dead
from app.state import files
from app.state.disk import NO_ROOM, free_bytes
from app.state.remove_tree import remove

log = logging.getLogger(__name__)

_FOLDERS = (
    *("jobs", "runs", "live", "unlogged", "unindexed", "keys", "removed"),
    session_users.FOLDER,
)
#: The stamp of the index of jobs; without it, a new index is made.
INDEX_STAMP = "index/stamp"
# Lists of jobs. If one of them was lost, the index may lack a job.
_LISTS = {"live", "unlogged", "unindexed"}
# Others are served between two portions of jobs.
_PORTION = 50
_LARGEST = (1 << 63) - 1
# Seconds that are spent at once on one job's files, and later on.
_PATIENCE = 0.2
_TIDY_PATIENCE = 10.0


class Position(NamedTuple):
    """The place of a job in the order of all jobs.

    `started` is when `job.json` was written, in nanoseconds since the epoch.
    """

    started: int
    id: str


def position_of(job: Job) -> Position | None:
    """The job's position, or None if it has no record."""
    try:
        # Written once, before the start.
        written = os.lstat(f"{job.path}/job.json").st_mtime_ns
    except OSError:
        return None
    # A job can set any time.
    return Position(max(-_LARGEST, min(written, _LARGEST)), job.id)


class Spool:
    """All jobs of one state folder."""

    def __init__(
        self,
        state: Path,
        call: Callable[[Callable[[], bool], float], bool] | None = None,
    ) -> None:
        """`call` runs a function so that nobody waits for it, for so many seconds at most.

        It is for removing files: with a large one, unlink(2) takes half a second.
        """
        self.state = str(state)
        self._call = call

    def prepare(self) -> None:
        """Make the folders that are missing or damaged, for this user's eyes only.

        A job can remove one, replace it, or take its rights away. Raises OSError.
        """
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        made = {name for name in _FOLDERS if files.make_folder(f"{self.state}/{name}")}
        if "live" in made:
            self._list_the_living()
        if made & _LISTS:
            files.discard(f"{self.state}/{INDEX_STAMP}")
        if session_users.FOLDER in made:
            # So it is at the first start after 1.0. Who began a session comes first.
            for position in sorted(filter(None, map(position_of, self.kept()))):
                job = self._job(position.id)
                job.note_owner(job.end())

    def job(self, job_id: str) -> Job | None:
        """The directory that a job of this id has or would have; None if it is not an id."""
        return Job(self.state, job_id) if is_job_id(job_id) else None

    def living(self) -> Iterator[Job]:
        """The jobs that have not ended, or whose end nobody has written down yet."""
        return map(self._job, self._ids("live"))

    def unlogged(self) -> Iterator[Job]:
        """The jobs of whose end the log has not told."""
        return map(self._job, self._ids("unlogged"))

    def unindexed(self) -> Iterator[Job]:
        """The jobs whose end is logged, and that may not be in the index yet."""
        return map(self._job, self._ids("unindexed"))

    def recent(self) -> dict[str, Job]:
        """The jobs that run or wait, and those that have ended and may not be in the index yet.

        A job goes from one list to the next in this order, so none is missed.
        """
        lists = (self.living(), self.unlogged(), self.unindexed())
        return {job.id: job for jobs in lists for job in jobs}

    def kept(self) -> Iterator[Job]:
        """All jobs, in any order; others are served in between."""
        try:
            found = os.scandir(f"{self.state}/jobs")
        except OSError:
            self.prepare()
            found = os.scandir(f"{self.state}/jobs")
        with found as entries:
            for number, entry in enumerate(entries):
                if number % _PORTION == 0:
                    time.sleep(0)
                if is_job_id(entry.name):
                    yield self._job(entry.name)

    def count(self) -> tuple[int, int]:
        """How many jobs run, and how many wait for their supervisor."""
        claimed = [job.is_claimed() for job in self.living()]
        return sum(claimed), len(claimed) - sum(claimed)

    def newest(self, before: Position | None) -> Iterator[Job]:
        """All jobs, the newest first; only those before a position, if given.

        Looks at each job: the index of jobs answers the same at once.
        """
        found = sorted(filter(None, map(position_of, self.kept())), reverse=True)
        return (self._job(each.id) for each in found if before is None or each < before)

    def free(self) -> int:
        """Bytes of the disk that are left to us."""
        return free_bytes(self.state)

    def trouble(self) -> str | None:
        """What keeps jobs from going on now, in words for a client; None if all is well."""
        try:
            is_full = self.free() < NO_ROOM
        except OSError:
            return None
        return "the disk is full: jobs cannot write their output or their end" if is_full else None

    def ended_before(self, moment: float) -> Iterator[Job]:
        """The jobs whose end was written before this moment (seconds since the epoch).

        Looks at each job: the index of jobs answers the same at once.
        """
        for job in self.kept():
            if job.end_time() < moment:
                yield job

    def close_if_dead(self, job: Job) -> bool:
        """Close a job as lost if its supervisor died, or remove it if its folder is gone.

        Returns whether it was closed here. Raises nothing: a job that cannot be closed, on a full
        disk for example, must not disturb the others.
        """
        try:
            if not job.exists():
                # Removed by hand.
                self.remove(job)
            elif is_dead(job) and close_lost(job):
                log.warning("job %s lost its supervisor", job.id, extra={"job": job.id})
                return True
        except OSError as error:
            log.error("cannot close job %s: %s", job.id, error)
        return False

    def remove(self, job: Job) -> None:
        """Remove a job, its run, and every trace of it; nothing happens if there is none.

        The job is gone at once, whatever it has left; what takes long is left to `tidy`.
        """
        for link in (job.live, job.unlogged, job.unindexed):
            files.discard(link)
        for path, what in ((job.run.path, "run"), (job.path, "job")):
            removed = f"{self.state}/removed/{job.id}.{what}.{time.monotonic_ns()}"
            try:
                os.rename(path, removed)
            except OSError:
                # There is none, or a job has removed the other folder.
                removed = path
            self._remove(removed, _PATIENCE)

    def tidy(self) -> None:
        """Go on with removing what `remove` has left, and what a job has put between ours.

        Others are served in between.
        """
        for name in os.listdir(f"{self.state}/removed"):
            self._remove(f"{self.state}/removed/{name}", _TIDY_PATIENCE)
        for folder in sorted(_LISTS):
            for name in os.listdir(f"{self.state}/{folder}"):
                if not is_job_id(name):
                    self._remove(f"{self.state}/{folder}/{name}", _TIDY_PATIENCE)

    def _remove(self, path: str, patience: float) -> None:
        if self._call is None:
            remove(path, patience, _let_others)
            return
        with suppress(TimeoutError):
            # The rest is left to `tidy`.
            self._call(partial(remove, path, patience), patience + 1)

    def _job(self, job_id: str) -> Job:
        return Job(self.state, job_id)

    def _ids(self, folder: str) -> list[str]:
        """The ids in a folder of ours, which is mended if it cannot be read. Raises OSError."""
        path = f"{self.state}/{folder}"
        try:
            names = os.listdir(path)
        except OSError:
            self.prepare()
            names = os.listdir(path)
        return [name for name in names if is_job_id(name)]

    def _list_the_living(self) -> None:
        """List anew which jobs have not ended."""
        for job_id in self._ids("jobs"):
            job = Job(self.state, job_id)
            if not job.has_ended():
                with suppress(OSError):
                    os.link(f"{job.path}/job.json", job.live)


def _let_others() -> None:
    """Serve others before going on."""
    time.sleep(0)
