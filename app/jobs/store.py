"""The spool: all jobs of one state folder."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.records import event_journal, kept_run, question_list, session_users, usage_line
from app.records.job import Job
from app.records.job_id import is_job_id
from app.runs.close_lost import close_lost
from app.runs.detect_dead import is_dead
from app.state import files
from app.state.disk import NO_ROOM, free_bytes
from app.state.remove_tree import remove

log = logging.getLogger(__name__)

_FOLDERS = (
    *("jobs", "runs", "live", "unlogged", "unindexed", "keys", "removed"),
    session_users.FOLDER,
    kept_run.FOLDER,
    question_list.FOLDER,
    event_journal.FOLDER,
    usage_line.FOLDER,
)
#: The stamp of the index of jobs; without it, a new index is made.
INDEX_STAMP = "index/stamp"
# Lists of jobs. If one of them is lost, the index may lack a job.
_LISTS = {"live", "unlogged", "unindexed"}
# Jobs between two pauses in which other greenlets run.
_PORTION = 50
_LARGEST = (1 << 63) - 1
# Seconds for removing one job's files: at once, and later.
_PATIENCE = 0.2
_TIDY_PATIENCE = 10.0


class Position(NamedTuple):
    """A job's position in the order of all jobs.

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
        """`call` runs a function outside of the hub, for at most so many seconds.

        It removes files: unlink(2) of a large one takes half a second.
        """
        self.state = str(state)
        self._call = call

    def prepare(self) -> None:
        """Create or mend the folders, for this user only.

        A job can remove a folder, replace it, or change its mode. Raises OSError.
        """
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        made = {name for name in _FOLDERS if files.make_folder(f"{self.state}/{name}")}
        if "live" in made:
            self._link_living()
        if made & _LISTS:
            files.discard(f"{self.state}/{INDEX_STAMP}")
        if session_users.FOLDER in made:
            # Also at the first start after 1.0. The job that started a session comes first.
            for position in sorted(filter(None, map(position_of, self.kept()))):
                job = self._job(position.id)
                job.note_owner(job.end())

    def job(self, job_id: str) -> Job | None:
        """The job with this id, whether or not it exists; None if it is not an id."""
        return Job(self.state, job_id) if is_job_id(job_id) else None

    def living(self) -> Iterator[Job]:
        """The jobs that have not ended, or whose end is not written yet."""
        return map(self._job, self._ids("live"))

    def unlogged(self) -> Iterator[Job]:
        """The jobs whose end is not logged yet."""
        return map(self._job, self._ids("unlogged"))

    def unindexed(self) -> Iterator[Job]:
        """The jobs whose end is logged and that may not be in the index yet."""
        return map(self._job, self._ids("unindexed"))

    def recent(self) -> dict[str, Job]:
        """The jobs that have not ended, and those that may not be in the index yet.

        A job moves through these lists in this order, so none is missed.
        """
        lists = (self.living(), self.unlogged(), self.unindexed())
        return {job.id: job for jobs in lists for job in jobs}

    def kept(self) -> Iterator[Job]:
        """All jobs, in any order; other greenlets run in between."""
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
        """How many jobs run, and how many wait for a supervisor."""
        claimed = [job.is_claimed() for job in self.living()]
        return sum(claimed), len(claimed) - sum(claimed)

    def newest(self, before: Position | None) -> Iterator[Job]:
        """All jobs, the newest first; with `before`, only those that are older.

        Looks at every job; the index of jobs need not.
        """
        found = sorted(filter(None, map(position_of, self.kept())), reverse=True)
        return (self._job(each.id) for each in found if before is None or each < before)

    def free(self) -> int:
        """Free bytes on the disk. Raises OSError."""
        return free_bytes(self.state)

    def trouble(self) -> str | None:
        """What blocks all jobs now, as a message for clients; None if nothing does."""
        try:
            is_full = self.free() < NO_ROOM
        except OSError:
            return None
        return "the disk is full: jobs cannot write their output or their end" if is_full else None

    def ended_before(self, moment: float) -> Iterator[Job]:
        """The jobs whose end was written before this moment (seconds since the epoch).

        Looks at every job; the index of jobs need not.
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

    def close_dead(self) -> list[str]:
        """Close all jobs whose supervisor died; returns their ids."""
        return [job.id for job in self.living() if self.close_if_dead(job)]

    def remove(self, job: Job) -> None:
        """Remove a job and its run; does nothing if there is none.

        The job is gone at once; `tidy` removes what takes longer.
        """
        job.links.discard()
        for path, what in ((job.prepared.path, "run"), (job.path, "job")):
            removed = f"{self.state}/removed/{job.id}.{what}.{time.monotonic_ns()}"
            try:
                os.rename(path, removed)
            except OSError:
                # It does not exist, or a job has removed `removed/`.
                removed = path
            self._remove(removed, _PATIENCE)

    def tidy(self) -> None:
        """Remove what `remove` has left, and what a job has put into the lists.

        Other greenlets run in between.
        """
        for name in os.listdir(f"{self.state}/removed"):
            self._remove(f"{self.state}/removed/{name}", _TIDY_PATIENCE)
        for folder in sorted(_LISTS):
            for name in os.listdir(f"{self.state}/{folder}"):
                if not is_job_id(name):
                    self._remove(f"{self.state}/{folder}/{name}", _TIDY_PATIENCE)

    def _remove(self, path: str, patience: float) -> None:
        if self._call is None:
            remove(path, patience, _yield)
            return
        with suppress(TimeoutError):
            # `tidy` removes the rest.
            self._call(partial(remove, path, patience), patience + 1)

    def _job(self, job_id: str) -> Job:
        return Job(self.state, job_id)

    def _ids(self, folder: str) -> list[str]:
        """The ids in a folder, which is mended if it cannot be read. Raises OSError."""
        path = f"{self.state}/{folder}"
        try:
            names = os.listdir(path)
        except OSError:
            self.prepare()
            names = os.listdir(path)
        return [name for name in names if is_job_id(name)]

    def _link_living(self) -> None:
        """Fill `live/` with links to the jobs that have not ended."""
        for job_id in self._ids("jobs"):
            job = Job(self.state, job_id)
            if not job.has_ended():
                with suppress(OSError):
                    os.link(f"{job.path}/job.json", job.links.live)


def _yield() -> None:
    """Let other greenlets run."""
    time.sleep(0)
