"""The limits of a running job: its time, its silence, its output.

Standard library alone, because the supervisor imports this.
"""

import os
import time
from typing import NamedTuple

from app.records.job_records import JobRequest, Status

# Seconds between two checks without a limit.
_CHECK_INTERVAL = 5.0


class ReachedLimit(NamedTuple):
    """The limit that a job has reached: the status and the reason of its end."""

    status: Status
    reason: str


class JobLimits:
    """Compares a job with its limits."""

    def __init__(self, request: JobRequest, output: int, begun_at: float) -> None:
        """`output` is the open output of the job's run, which may have the lines of other jobs.

        The job's time counts from `begun_at`, by the monotonic clock.
        """
        self._request = request
        self._output = output
        self._before = os.fstat(output).st_size
        self._started_at = begun_at
        self._grew_at = time.monotonic()
        self._size = 0

    def reached(self, is_asking: bool = False) -> ReachedLimit | None:
        """The limit that the job has reached, if any.

        While it is asking its client, it may be silent.
        """
        request, now = self._request, time.monotonic()
        if is_asking:
            self._grew_at = now
        if request.idle_timeout or request.max_output:
            size = os.fstat(self._output).st_size - self._before
            if size != self._size:
                self._size, self._grew_at = size, now
        if request.timeout and now - self._started_at >= request.timeout:
            return ReachedLimit("timed_out", "timeout")
        if request.idle_timeout and now - self._grew_at >= request.idle_timeout:
            return ReachedLimit("timed_out", "idle_timeout")
        if request.max_output and self._size > request.max_output:
            return ReachedLimit("failed", "output_limit")
        return None

    def patience(self) -> float:
        """Seconds until the limits must be checked again."""
        request = self._request
        seconds = _CHECK_INTERVAL
        if request.timeout:
            seconds = min(seconds, self._started_at + request.timeout - time.monotonic())
        if request.idle_timeout:
            seconds = min(seconds, request.idle_timeout / 4)
        if request.max_output:
            # A job that prints at full speed reaches the limit soon.
            seconds = min(seconds, 0.05 if self._size > request.max_output / 2 else 0.5)
        return max(0.01, seconds)
