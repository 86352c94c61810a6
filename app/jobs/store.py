"""All jobs of one state folder: make room for them, find them, remove them."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.records import session_owners
from app.records.job import Job, is_job_id
from app.state import files
from app.state.remove_tree import remove

_FOLDERS = ("jobs", "live", "untold", "keys", "removed", session_owners.FOLDER)
# Seconds that are spent at once on one job's files, and later on.
_PATIENCE = 0.2
_TIDY_PATIENCE = 10.0


class Spool:
    """All jobs of one state folder."""

    def __init__(self, state: Path) -> None:
        self.state = str(state)

    def prepare(self) -> None:
        """Make the folders that are missing or damaged, for this user's eyes only.

        A job can remove one, replace it, or take its rights away. Raises OSError.
        """
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        made = {name for name in _FOLDERS if files.make_folder(f"{self.state}/{name}")}
        if "live" in made:
            self._list_the_living()
        if session_owners.FOLDER in made:
            # So it is at the first start after 1.0. Who began a session comes first.
            for job in reversed(list(self.newest(None))):
                job.note_owner(job.end())

    def job(self, job_id: str) -> Job | None:
        """The directory that a job of this id has or would have; None if it is not an id."""
        return Job(self.state, job_id) if is_job_id(job_id) else None

    def living(self) -> Iterator[Job]:
        """The jobs that have not ended, or whose end nobody has written down yet."""
        return map(self._job, self._ids("live"))

    def untold(self) -> Iterator[Job]:
        """The jobs of whose end the log has not told."""
        return map(self._job, self._ids("untold"))

    def count(self) -> tuple[int, int]:
        """How many jobs run, and how many wait for their supervisor."""
        claimed = [job.is_claimed() for job in self.living()]
        return sum(claimed), len(claimed) - sum(claimed)

    def newest(self, before: str | None) -> Iterator[Job]:
        """All jobs, the newest first; only those older than the job `before`, if given."""
        found = []
        for job_id in self._ids("jobs"):
            with suppress(OSError):
                # Written once, before the start.
                written = os.lstat(f"{self.state}/jobs/{job_id}/job.json").st_mtime_ns
                found.append((written, job_id))
        ids = [job_id for _, job_id in sorted(found, reverse=True)]
        if before is not None:
            ids = ids[ids.index(before) + 1 :] if before in ids else []
        return (Job(self.state, job_id) for job_id in ids)

    def free(self) -> int:
        """Bytes of the disk that are left to us."""
        disk = os.statvfs(self.state)
        return disk.f_bavail * disk.f_frsize

    def ended_before(self, moment: float) -> Iterator[Job]:
        """The jobs whose end was written before this moment (seconds since the epoch)."""
        for number, job_id in enumerate(self._ids("jobs")):
            if number % 50 == 0:
                # There may be many, and others want to be served.
                time.sleep(0)
            with suppress(OSError):
                if os.lstat(f"{self.state}/jobs/{job_id}/ended").st_mtime < moment:
                    yield Job(self.state, job_id)

    def remove(self, job: Job) -> None:
        """Remove a job and every trace of it; nothing happens if there is none.

        The job is gone at once, whatever it has left; what takes long is left to `tidy`.
        """
        for link in (job.live, job.untold):
            files.discard(link)
        removed = f"{self.state}/removed/{job.id}.{time.monotonic_ns()}"
        try:
            os.rename(job.path, removed)
        except OSError:
            # There is none, or a job has removed the other folder.
            removed = job.path
        remove(removed, _PATIENCE, _let_others)

    def tidy(self) -> None:
        """Go on with removing what `remove` has left, and what a job has put between ours.

        Others are served in between.
        """
        for name in os.listdir(f"{self.state}/removed"):
            remove(f"{self.state}/removed/{name}", _TIDY_PATIENCE, _let_others)
        for folder in ("live", "untold"):
            for name in os.listdir(f"{self.state}/{folder}"):
                if not is_job_id(name):
                    remove(f"{self.state}/{folder}/{name}", _TIDY_PATIENCE, _let_others)

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
