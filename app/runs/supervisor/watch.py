"""The watch over a running CLI: its input, its limits, the signals that end it.

Standard library alone, because the supervisor imports this.
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
from app.runs.end_processes import TERM_PATIENCE, end_processes
from app.runs.supervisor.start import StartedRun
from app.runs.verdict import exit_of, judge, with_full_disk
from app.state.disk import NO_ROOM, free_bytes

#: The signals that end a job, each after a share of `KILL_GRACE`. SIGINT goes to the CLI alone,
#: which stops its tools and writes a last `result`; the others go to all descendants. The second
#: SIGINT is there because the CLI loses one in 25 while it starts.
LADDER = (
    (0.0, signal.SIGINT),
    (0.125, signal.SIGINT),
    (0.5, signal.SIGTERM),
    (1.0, signal.SIGKILL),
)
#: Standard error is cut to its last `STDERR_KEPT` bytes when it exceeds `STDERR_LIMIT`.
STDERR_LIMIT = 1 << 20
STDERR_KEPT = 1 << 18
#: Seconds between checks of the size of standard error and of the job's folder.
_CHECK_INTERVAL = 5.0
#: Seconds between checks of the job's records.
_RESTORE_INTERVAL = 1.0


class CliWatch:
    """Waits for the CLI, writes its input, and ends it on a cancellation or at a limit."""

    def __init__(self, started: StartedRun, wakeup: int) -> None:
        self._started = started
        self._cli = started.cli
        self._wakeup = wakeup
        self._status: int | None = None
        self._cancelled_at: float | None = None
        self._interrupted = False
        self._reached_limit: tuple[Status, str] | None = None
        self._started_at = self._grew_at = time.monotonic()
        self._restore_at = self._started_at + _RESTORE_INTERVAL
        self._size = 0
        self._steps = list(LADDER)
        self._highest: signal.Signals | None = None
        self._killed: set[Process] = set()

    def until_end(self) -> tuple[RunExit, JobEnd]:
        """Return how the CLI and its job ended, once nothing that the CLI started is left."""
        # A wish from before `running` was written came without a signal.
        self._read_wish()
        while self._status is None:
            self._wait(self._send_due_signals())
            self._cap_stderr()
            self._check_limits()
            self._restore_records()
            if not self._started.job.exists():
                # A removed folder means a cancellation.
                self._read_wish()
        self._started.stdin.close()
        result = end_processes(self._leftovers, self._wait, self._term_patience())
        if result.highest is not None:
            self._note_signal(result.highest)
        killed = {process.pid for process in (self._killed | result.ended) - result.left}
        if self._cancelled_at is not None:
            killed.add(self._cli)
        cut_holes(self._started.job.output)
        stop_signal = self._highest.name if self._highest else None
        run_exit = exit_of(self._status, stop_signal, len(killed), len(result.left))
        started = self._started
        end = judge(
            started.job,
            run_exit,
            self._known_status(),
            reason=self._reached_limit[1] if self._reached_limit else None,
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
            return self._reached_limit[0]
        return "cancelled" if self._interrupted or self._cancelled_at is not None else None

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
        if self._cancelled_at is None and job.is_to_be_cancelled():
            self._cancelled_at = time.monotonic()
        if job.take_interrupt():
            self._interrupted = True
            self._note_signal(signal.SIGINT)
            os.kill(self._cli, signal.SIGINT)

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

    def _send_due_signals(self) -> float:
        """Send the signals of the ladder that are due; returns the seconds until the next check."""
        if self._cancelled_at is None:
            return self._patience()
        grace = self._started.kill_grace
        elapsed = time.monotonic() - self._cancelled_at
        while self._steps and elapsed >= self._steps[0][0] * grace:
            _, number = self._steps.pop(0)
            self._note_signal(number)
            if number == signal.SIGINT:
                # The child is not reaped yet, so the pid is still its own.
                os.kill(self._cli, number)
            else:
                for process in processes.descendants(os.getpid()):
                    with suppress(PermissionError):
                        processes.send_signal(process, number)
                        self._killed.add(process)
        if not self._steps:
            # SIGKILL again, for processes forked meanwhile.
            self._steps = [LADDER[-1]]
            return 0.1
        return max(0.0, self._steps[0][0] * grace - elapsed)

    def _check_limits(self) -> None:
        """Begin to end the job if it has reached one of its limits."""
        if self._cancelled_at is not None:
            return
        request, now = self._started.request, time.monotonic()
        if request.idle_timeout or request.max_output:
            size = self._started.job.size()
            if size != self._size:
                self._size, self._grew_at = size, now
        if request.timeout and now - self._started_at >= request.timeout:
            self._reached_limit = ("timed_out", "timeout")
        elif request.idle_timeout and now - self._grew_at >= request.idle_timeout:
            self._reached_limit = ("timed_out", "idle_timeout")
        elif request.max_output and self._size > request.max_output:
            self._reached_limit = ("failed", "output_limit")
        if self._reached_limit:
            self._cancelled_at = now

    def _patience(self) -> float:
        """Seconds until the limits must be checked again."""
        request = self._started.request
        seconds = _CHECK_INTERVAL
        if request.timeout:
            seconds = min(seconds, self._started_at + request.timeout - time.monotonic())
        if request.idle_timeout:
            seconds = min(seconds, request.idle_timeout / 4)
        if request.max_output:
            # A job that prints at full speed reaches the limit soon.
            seconds = min(seconds, 0.05 if self._size > request.max_output / 2 else 0.5)
        return max(0.01, seconds)

    def _note_signal(self, number: signal.Signals) -> None:
        order = (None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        self._highest = max(self._highest, number, key=order.index)

    def _term_patience(self) -> float:
        if self._cancelled_at is None:
            return TERM_PATIENCE
        left = self._started.kill_grace - (time.monotonic() - self._cancelled_at)
        return max(0.0, min(TERM_PATIENCE, left))

    def _cap_stderr(self) -> None:
        stderr = self._started.stderr
        size = os.fstat(stderr).st_size
        if size > STDERR_LIMIT:
            # The CLI appends (O_APPEND), so it continues after the kept bytes.
            kept = os.pread(stderr, STDERR_KEPT, size - STDERR_KEPT)
            os.ftruncate(stderr, 0)
            os.write(stderr, kept)
