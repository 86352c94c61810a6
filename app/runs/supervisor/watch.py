"""The watch over a running CLI, until nothing of it is left.

Standard library alone, because the supervisor imports this.
"""

import os
import select
import signal
import time
from contextlib import suppress

from app import processes
from app.processes import Process
from app.records.job_records import JobEnd, Status
from app.records.output_file import cut_holes
from app.records.run import RunExit
from app.runs.end_processes import TERM_PATIENCE, end_processes
from app.runs.supervisor.job_limits import JobLimits, ReachedLimit
from app.runs.supervisor.signal_ladder import SignalLadder
from app.runs.supervisor.start import StartedRun
from app.runs.verdict import exit_of, judge, with_full_disk
from app.state.disk import NO_ROOM, free_bytes

#: Standard error is cut to its last `STDERR_KEPT` bytes when it exceeds `STDERR_LIMIT`.
STDERR_LIMIT = 1 << 20
STDERR_KEPT = 1 << 18
#: Seconds between checks of the job's records.
_RESTORE_INTERVAL = 1.0


class CliWatch:
    """Waits for the CLI, writes its input, and ends it on a cancellation or at a limit."""

    def __init__(self, started: StartedRun, wakeup: int) -> None:
        self._started = started
        self._cli = started.cli
        self._wakeup = wakeup
        self._status: int | None = None
        self._interrupted = False
        self._limits = JobLimits(started.job, started.request)
        self._reached_limit: ReachedLimit | None = None
        self._signals = SignalLadder(started.cli, started.kill_grace)
        self._restore_at = time.monotonic() + _RESTORE_INTERVAL

    def until_end(self) -> tuple[RunExit, JobEnd]:
        """Return how the CLI and its job ended, once nothing that the CLI started is left."""
        # A wish from before `running` was written came without a signal.
        self._read_wish()
        while self._status is None:
            is_ending = self._signals.is_started
            self._wait(self._signals.send_due() if is_ending else self._limits.patience())
            self._cap_stderr()
            self._check_limits()
            self._restore_records()
            if not self._started.job.exists():
                # A removed folder means a cancellation.
                self._read_wish()
        self._started.stdin.close()
        result = end_processes(self._leftovers, self._wait, self._term_patience())
        if result.highest is not None:
            self._signals.note(result.highest)
        killed = {each.pid for each in (self._signals.signalled | result.ended) - result.left}
        if self._signals.is_started:
            killed.add(self._cli)
        started, highest = self._started, self._signals.highest
        cut_holes(started.job.output)
        stop_signal = highest.name if highest else None
        run_exit = exit_of(self._status, stop_signal, len(killed), len(result.left))
        end = judge(
            started.job,
            run_exit,
            self._known_status(),
            reason=self._reached_limit.reason if self._reached_limit else None,
            request=started.request,
            claim=started.claim,
        )
        if end.status == "failed" and end.reason is None and self._disk_is_full():
            # The CLI exits with 1 when it cannot write, and cannot report why.
            end = with_full_disk(end)
        return run_exit, end

    def _restore_records(self) -> None:
        """Restore the job's records if the job changed them, so that it can be found and ended."""
        now = time.monotonic()
        if now < self._restore_at or self._status is not None:
            return
        self._restore_at = now + _RESTORE_INTERVAL
        # This fails on a full disk, or if the job has removed its folder.
        with suppress(OSError):
            self._started.job.restore(self._started.request, self._started.claim)
            self._started.job.run.restore(self._started.running)

    def _disk_is_full(self) -> bool:
        try:
            free = free_bytes(self._started.job.path)
        except FileNotFoundError:
            return False
        return free < NO_ROOM

    def _known_status(self) -> Status | None:
        if self._reached_limit:
            return self._reached_limit.status
        return "cancelled" if self._interrupted or self._signals.is_started else None

    def _wait(self, seconds: float) -> None:
        """Wait until a signal arrives or the input pipe has room, at most `seconds`."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if self._started.stdin.descriptor is not None:
            poll.register(self._started.stdin.descriptor, select.POLLOUT)
        for descriptor, _ in poll.poll(seconds * 1000):
            if descriptor == self._wakeup:
                numbers = os.read(self._wakeup, 4096)
                self._reap()
                # A cancellation that arrives once the CLI has exited does not change its end.
                if signal.SIGTERM in numbers and self._status is None:
                    self._read_wish()
            else:
                self._started.stdin.write()

    def _read_wish(self) -> None:
        """Begin to cancel or interrupt the job if a wish asks for it.

        Without a wish, a signal was meant for the previous job of this supervisor.
        """
        job = self._started.job
        if job.is_to_be_cancelled():
            self._signals.start()
        if job.take_interrupt():
            self._interrupted = True
            self._signals.interrupt()

    def _reap(self) -> bool:
        """Reap every child that has exited; returns whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._cli:
                self._status = status

    def _leftovers(self) -> list[Process]:
        """The job's remaining processes: none only if the kernel reports that no child is left."""
        while self._reap():
            if found := processes.descendants(os.getpid()):
                return found
            # A child was forked during the look at /proc.
            time.sleep(0.001)
        return []

    def _check_limits(self) -> None:
        """Begin to end the job if it has reached one of its limits."""
        if not self._signals.is_started and (reached := self._limits.reached()):
            self._reached_limit = reached
            self._signals.start()

    def _term_patience(self) -> float:
        if not self._signals.is_started:
            return TERM_PATIENCE
        return max(0.0, min(TERM_PATIENCE, self._signals.left()))

    def _cap_stderr(self) -> None:
        stderr = self._started.stderr
        size = os.fstat(stderr).st_size
        if size > STDERR_LIMIT:
            # The CLI appends (O_APPEND), so it continues after the kept bytes.
            kept = os.pread(stderr, STDERR_KEPT, size - STDERR_KEPT)
            os.ftruncate(stderr, 0)
            os.write(stderr, kept)
