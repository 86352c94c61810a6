"""Waiting for a job's CLI: its input, its limits, the ladder of signals, the sweep at the end.

Standard library alone: the supervisor imports this.
"""

import os
import select
import signal
import time
from contextlib import suppress

from app import processes
from app.processes import Process
from app.records.job import JobEnd, Status
from app.records.output_file import cut_holes
from app.records.run import RunExit
from app.runs.supervisor.start import StartedRun
from app.runs.sweep import SWEEP_PATIENCE, sweep
from app.runs.verdict import exit_of, judge, with_full_disk
from app.state.disk import NO_ROOM, free_bytes

#: What a cancelled job gets, and at which share of its grace: to the CLI alone while it may
#: still stop its tools and write a last `result`, then to everything it started. The second
#: SIGINT is for the one in 25 that the CLI loses while it starts.
LADDER = (
    (0.0, signal.SIGINT),
    (0.125, signal.SIGINT),
    (0.5, signal.SIGTERM),
    (1.0, signal.SIGKILL),
)
#: Standard error is cut to its last `STDERR_KEPT` bytes whenever it exceeds `STDERR_LIMIT`.
STDERR_LIMIT = 1 << 20
STDERR_KEPT = 1 << 18
#: Seconds between looks at the size of standard error and at the job's folder.
_TICK = 5.0
#: Seconds between looks at whether the job's records are as they were.
_MEND_AFTER = 1.0


class Watch:
    """Waits for the CLI, feeds it, and goes up the ladder when told to."""

    def __init__(self, started: StartedRun, wakeup: int) -> None:
        self._started = started
        self._cli = started.cli
        self._wakeup = wakeup
        self._status: int | None = None
        self._cancelled_at: float | None = None
        self._interrupted = False
        self._breach: tuple[Status, str] | None = None
        self._begun = self._grew_at = time.monotonic()
        self._mend_at = self._begun + _MEND_AFTER
        self._size = 0
        self._rungs = list(LADDER)
        self._highest: signal.Signals | None = None
        self._killed: set[Process] = set()

    def until_end(self) -> tuple[RunExit, JobEnd]:
        """Return how the CLI and its job ended, once nothing that the CLI started is left."""
        # A wish that came before we could be found was sent no signal.
        self._cancel()
        while self._status is None:
            self._wait(self._climb())
            self._cap_stderr()
            self._check_limits()
            self._mend()
            if not self._started.job.exists():
                # No client could ask for its end any more.
                self._cancel()
        self._started.feeder.close()
        swept = sweep(self._left, self._wait, self._sweep_patience())
        if swept.highest is not None:
            self._use(swept.highest)
        killed = {process.pid for process in (self._killed | swept.ended) - swept.left}
        if self._cancelled_at is not None:
            killed.add(self._cli)
        cut_holes(self._started.job.output)
        stop_signal = self._highest.name if self._highest else None
        run_exit = exit_of(self._status, stop_signal, len(killed), len(swept.left))
        reason = self._breach[1] if self._breach else None
        started = self._started
        end = judge(
            started.job,
            run_exit,
            self._mark(),
            reason=reason,
            request=started.request,
            claim=started.claim,
        )
        if end.status == "failed" and end.reason is None and self._disk_is_full():
            # The CLI ends with exit code 1 when it cannot write, and cannot say why.
            end = with_full_disk(end)
        return run_exit, end

    def _mend(self) -> None:
        """Have the job stay one that can be found and ended, whatever it does to its records."""
        now = time.monotonic()
        if now < self._mend_at or self._status is not None:
            return
        self._mend_at = now + _MEND_AFTER
        # On a full disk, or if the job has removed its folder, it cannot be done.
        with suppress(OSError):
            self._started.job.mend(self._started.request, self._started.claim)
            self._started.job.run.mend(self._started.running)

    def _disk_is_full(self) -> bool:
        try:
            free = free_bytes(self._started.job.path)
        except FileNotFoundError:
            return False
        return free < NO_ROOM

    def _mark(self) -> Status | None:
        if self._breach:
            return self._breach[0]
        return "cancelled" if self._interrupted or self._cancelled_at is not None else None

    def _wait(self, seconds: float) -> None:
        """Until a signal arrives or the input pipe has room, but at most so long."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if self._started.feeder.descriptor is not None:
            poll.register(self._started.feeder.descriptor, select.POLLOUT)
        for descriptor, _ in poll.poll(seconds * 1000):
            if descriptor == self._wakeup:
                numbers = os.read(self._wakeup, 4096)
                self._reap()
                # A cancellation that arrives once the CLI has exited does not change its end.
                if signal.SIGTERM in numbers and self._status is None:
                    self._cancel()
            else:
                self._started.feeder.feed()

    def _cancel(self) -> None:
        # The signal may have been meant for the job that this process had before.
        job = self._started.job
        if self._cancelled_at is None and job.is_to_be_cancelled():
            self._cancelled_at = time.monotonic()
        if job.take_interrupt():
            self._interrupted = True
            self._use(signal.SIGINT)
            os.kill(self._cli, signal.SIGINT)

    def _reap(self) -> bool:
        """Wait for every child that has ended; whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._cli:
                self._status = status

    def _left(self) -> list[Process]:
        """What is left of the job. Only the kernel knows for sure that there is nothing."""
        while self._reap():
            if found := processes.descendants(os.getpid()):
                return found
            # A child that was forked while we looked: look again.
            time.sleep(0.001)
        return []

    def _climb(self) -> float:
        """Use every rung that is due; returns the seconds until the next look."""
        if self._cancelled_at is None:
            return self._patience()
        grace = self._started.kill_grace
        elapsed = time.monotonic() - self._cancelled_at
        while self._rungs and elapsed >= self._rungs[0][0] * grace:
            _, number = self._rungs.pop(0)
            self._use(number)
            if number == signal.SIGINT:
                # Our own child, not waited for: the number is still its.
                os.kill(self._cli, number)
            else:
                for process in processes.descendants(os.getpid()):
                    with suppress(PermissionError):
                        processes.send_signal(process, number)
                        self._killed.add(process)
        if not self._rungs:
            # SIGKILL once more, for what was forked meanwhile.
            self._rungs = [LADDER[-1]]
            return 0.1
        return max(0.0, self._rungs[0][0] * grace - elapsed)

    def _check_limits(self) -> None:
        """Begin to end the job if it has run into one of its limits."""
        if self._cancelled_at is not None:
            return
        request, now = self._started.request, time.monotonic()
        if request.idle_timeout or request.max_output:
            size = self._started.job.size()
            if size != self._size:
                self._size, self._grew_at = size, now
        if request.timeout and now - self._begun >= request.timeout:
            self._breach = ("timed_out", "timeout")
        elif request.idle_timeout and now - self._grew_at >= request.idle_timeout:
            self._breach = ("timed_out", "idle_timeout")
        elif request.max_output and self._size > request.max_output:
            self._breach = ("failed", "output_limit")
        if self._breach:
            self._cancelled_at = now

    def _patience(self) -> float:
        """Seconds until the limits must be looked at again."""
        request = self._started.request
        seconds = _TICK
        if request.timeout:
            seconds = min(seconds, self._begun + request.timeout - time.monotonic())
        if request.idle_timeout:
            seconds = min(seconds, request.idle_timeout / 4)
        if request.max_output:
            # A job that prints as fast as it can fills the rest within a moment.
            seconds = min(seconds, 0.05 if self._size > request.max_output / 2 else 0.5)
        return max(0.01, seconds)

    def _use(self, number: signal.Signals) -> None:
        order = (None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        self._highest = max(self._highest, number, key=order.index)

    def _sweep_patience(self) -> float:
        if self._cancelled_at is None:
            return SWEEP_PATIENCE
        left = self._started.kill_grace - (time.monotonic() - self._cancelled_at)
        return max(0.0, min(SWEEP_PATIENCE, left))

    def _cap_stderr(self) -> None:
        stderr = self._started.stderr
        size = os.fstat(stderr).st_size
        if size > STDERR_LIMIT:
            # The CLI appends wherever the end is, so it goes on behind what is kept.
            kept = os.pread(stderr, STDERR_KEPT, size - STDERR_KEPT)
            os.ftruncate(stderr, 0)
            os.write(stderr, kept)
