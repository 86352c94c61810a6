"""The watch over the CLI of one run, until nothing of the run is left.

Standard library alone, because the supervisor imports this.
"""

import os
import select
import time
from collections.abc import Set as AbstractSet

from app import processes
from app.processes import Process
from app.records.output_file import cut_holes
from app.records.run import RunExit
from app.runs.end_processes import TERM_PATIENCE, end_processes
from app.runs.supervisor.signal_ladder import SignalLadder
from app.runs.supervisor.start import StartedRun
from app.runs.verdict import exit_of

#: Standard error is cut to its last `STDERR_KEPT` bytes when it exceeds `STDERR_LIMIT`.
STDERR_LIMIT = 1 << 20
STDERR_KEPT = 1 << 18


class RunWatch:
    """Waits for the CLI, writes its input, and ends it with all that it started.

    `wakeup` is from `watch_signals`. The calling process is a subreaper, and has no children but
    the run's.
    """

    def __init__(self, started: StartedRun, wakeup: int) -> None:
        self.started = started
        self.signals = SignalLadder(started.cli, started.start.kill_grace)
        self._cli = started.cli
        self._wakeup = wakeup
        self._status: int | None = None

    def set_grace(self, seconds: float) -> None:
        """Take the grace of a job, before its end has begun."""
        self.signals = SignalLadder(self._cli, seconds)

    def has_exited(self) -> bool:
        """Whether the CLI has exited; others of the run may be left."""
        return self._status is not None

    def was_killed(self) -> bool:
        """Whether a signal has ended the CLI."""
        return self._status is not None and os.WIFSIGNALED(self._status)

    def wait(self, seconds: float, *others: int) -> AbstractSet[int]:
        """Wait for a signal, for room in the CLI's input or for one of the `others` to be readable.

        Returns the numbers of the signals that arrived, and -1 if another descriptor is readable.
        """
        poll = select.poll()
        for descriptor in (self._wakeup, *others):
            poll.register(descriptor, select.POLLIN)
        stdin = self.started.stdin
        if stdin.blocked is not None:
            poll.register(stdin.blocked, select.POLLOUT)
        numbers: set[int] = set()
        for descriptor, _ in poll.poll(seconds * 1000):
            if descriptor == self._wakeup:
                numbers.update(os.read(self._wakeup, 4096))
                self._reap()
            elif descriptor in others:
                numbers.add(-1)
            else:
                stdin.write()
        self._cap_stderr()
        return numbers

    def await_exit(self, patience: float) -> None:
        """Wait for the CLI's exit; after `patience` seconds, signals make it exit."""
        deadline = time.monotonic() + patience
        while not self.has_exited() and (left := deadline - time.monotonic()) > 0:
            self.wait(left)
        if not self.has_exited():
            self.signals.start()
        while not self.has_exited():
            self.wait(self.signals.send_due())

    def end(self) -> RunExit:
        """End what the CLI left, once it has exited; returns how the run ended."""
        self.started.stdin.close()
        result = end_processes(self._leftovers, self._pause, self._term_patience())
        if result.highest is not None:
            self.signals.note(result.highest)
        killed = {each.pid for each in (self.signals.signalled | result.ended) - result.left}
        if self.signals.is_started:
            killed.add(self._cli)
        cut_holes(self.started.run.output)
        highest = self.signals.highest
        stop_signal = highest.name if highest else None
        return exit_of(self._status, stop_signal, len(killed), len(result.left))

    def close(self) -> None:
        """Close the run's files."""
        os.close(self.started.stderr)
        os.close(self.started.output)

    def _pause(self, seconds: float) -> None:
        self.wait(seconds)

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
        """The run's remaining processes: none only if the kernel reports that no child is left."""
        while self._reap():
            if found := processes.descendants(os.getpid()):
                return found
            # A child was forked during the look at /proc.
            time.sleep(0.001)
        return []

    def _term_patience(self) -> float:
        if not self.signals.is_started:
            return TERM_PATIENCE
        return max(0.0, min(TERM_PATIENCE, self.signals.left()))

    def _cap_stderr(self) -> None:
        stderr = self.started.stderr
        size = os.fstat(stderr).st_size
        if size > STDERR_LIMIT:
            # The CLI appends (O_APPEND), so it continues after the kept bytes.
            kept = os.pread(stderr, STDERR_KEPT, size - STDERR_KEPT)
            os.ftruncate(stderr, 0)
            os.write(stderr, kept)
