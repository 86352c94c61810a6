"""All jobs of one state folder: make room for them, find them, remove them."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from app.jobs.directory import JobDirectory


class Spool:
    """All jobs of one state folder."""

    def __init__(self, state: Path) -> None:
        self.state = str(state)

    def prepare(self) -> None:
        """Make the folders, for this user's eyes only. Raises OSError."""
        for folder in ("", "/jobs", "/live", "/keys"):
            os.makedirs(self.state + folder, mode=0o700, exist_ok=True)

    def directory(self, job_id: str) -> JobDirectory | None:
        """The directory that a job of this id has or would have; None if it is not an id.

        An id is a UUID in its usual spelling, so that no id from outside names a path.
        """
        try:
            if str(UUID(job_id)) != job_id:
                return None
        except ValueError:
            return None
        return JobDirectory(self.state, job_id)

    def living(self) -> Iterator[JobDirectory]:
        """The jobs that have not ended, or whose end nobody has written down yet."""
        for job_id in os.listdir(f"{self.state}/live"):
            yield JobDirectory(self.state, job_id)

    def count(self) -> tuple[int, int]:
        """How many jobs run, and how many wait for their supervisor."""
        claimed = [directory.claimed_for() is not None for directory in self.living()]
        return sum(claimed), len(claimed) - sum(claimed)

    def newest(self, before: str | None) -> Iterator[JobDirectory]:
        """All jobs, the newest first; only those older than the job `before`, if given."""
        found = []
        for job_id in os.listdir(f"{self.state}/jobs"):
            with suppress(FileNotFoundError):
                # Written once, before the start.
                written = os.stat(f"{self.state}/jobs/{job_id}/job.json").st_mtime_ns
                found.append((written, job_id))
        ids = [job_id for _, job_id in sorted(found, reverse=True)]
        if before is not None:
            ids = ids[ids.index(before) + 1 :] if before in ids else []
        return (JobDirectory(self.state, job_id) for job_id in ids)

    def free(self) -> int:
        """Bytes of the disk that are left to us."""
        disk = os.statvfs(self.state)
        return disk.f_bavail * disk.f_frsize

    def ended_before(self, moment: float) -> Iterator[JobDirectory]:
        """The jobs whose end was written before this moment (seconds since the epoch)."""
        for number, job_id in enumerate(os.listdir(f"{self.state}/jobs")):
            if number % 50 == 0:
                # There may be many, and others want to be served.
                time.sleep(0)
            with suppress(FileNotFoundError):
                if os.stat(f"{self.state}/jobs/{job_id}/ended").st_mtime < moment:
                    yield JobDirectory(self.state, job_id)

    def remove(self, directory: JobDirectory) -> None:
        """Remove a job and every trace of it; nothing happens if there is none."""
        with suppress(FileNotFoundError):
            os.unlink(directory.live)
        shutil.rmtree(directory.path, ignore_errors=True)
