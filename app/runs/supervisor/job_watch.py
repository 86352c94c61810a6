"""The watch over one job: its limits, and its records.

Standard library alone, because the supervisor imports this.
"""

import time
from contextlib import suppress

from app.records.claim import Claim
from app.records.job import Job
from app.records.job_records import JobRequest
from app.runs.supervisor.job_limits import JobLimits, ReachedLimit
from app.runs.supervisor.start import StartedRun
from app.state.disk import NO_ROOM, free_bytes

#: Seconds between two looks at the job's records.
_LOOK_INTERVAL = 1.0


class JobWatch:
    """What the supervisor must know of a job that a run serves.

    The job's time counts from `begun_at`, by the monotonic clock, or else from now.
    """

    def __init__(
        self,
        job: Job,
        request: JobRequest,
        claim: Claim,
        started: StartedRun,
        begun_at: float | None = None,
    ) -> None:
        self.job = job
        self.request = request
        self.claim = claim
        self._started = started
        now = time.monotonic()
        self._limits = JobLimits(request, started.output, now if begun_at is None else begun_at)
        self._look_at = now + _LOOK_INTERVAL

    def reached(self, is_asking: bool = False) -> ReachedLimit | None:
        """The limit that the job has reached, if any; `is_asking` as for `JobLimits`."""
        return self._limits.reached(is_asking)

    def patience(self) -> float:
        """Seconds until the limits must be checked again."""
        return self._limits.patience()

    def look(self) -> bool:
        """Restore what the job has changed of its records; returns whether it was time for that.

        It is time, too, to read what clients want: a worker that was killed may have written it
        without a signal.
        """
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK_INTERVAL
        # This fails on a full disk, or if the job has removed its folder.
        with suppress(OSError):
            self.job.restore(self.request, self.claim)
            self._started.run.restore(self._started.running)
        return True

    def disk_is_full(self) -> bool:
        """Whether the disk of the job's folder is full."""
        try:
            free = free_bytes(self.job.path)
        except FileNotFoundError:
            return False
        return free < NO_ROOM
