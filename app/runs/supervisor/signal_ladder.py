"""The signals that end a CLI: SIGINT, SIGTERM, SIGKILL, each after a share of KILL_GRACE.

Standard library alone, because the supervisor imports this.
"""

import os
import signal
import time
from contextlib import suppress

from app import processes
from app.processes import Process

#: Each signal, and the share of the grace after which it is sent. SIGINT goes to the CLI alone,
#: which stops its tools and writes a last `result`; the others go to all descendants. The second
#: SIGINT is there because the CLI loses one in 25 while it starts.
LADDER = (
    (0.0, signal.SIGINT),
    (0.125, signal.SIGINT),
    (0.5, signal.SIGTERM),
    (1.0, signal.SIGKILL),
)
# Seconds between two SIGKILLs, for processes that are forked meanwhile.
_KILL_INTERVAL = 0.1


class SignalLadder:
    """The ladder of one CLI, a child of this process; `grace` is in seconds."""

    def __init__(self, cli: int, grace: float) -> None:
        self._cli = cli
        self._grace = grace
        self._started_at: float | None = None
        self._steps = list(LADDER)
        #: The highest signal that was sent, if any.
        self.highest: signal.Signals | None = None
        #: The processes that got a SIGTERM or SIGKILL.
        self.signalled: set[Process] = set()

    @property
    def is_started(self) -> bool:
        """Whether the CLI is being ended."""
        return self._started_at is not None

    def start(self) -> None:
        """Begin to end the CLI. Nothing happens the second time."""
        if self._started_at is None:
            self._started_at = time.monotonic()

    def left(self) -> float:
        """Seconds of the grace that are left once the ladder is started."""
        return self._grace - self._elapsed()

    def interrupt(self) -> None:
        """Send the CLI one SIGINT, and no more."""
        self._send(signal.SIGINT)

    def send_due(self) -> float:
        """Send the signals that are due; returns the seconds until the next one."""
        elapsed = self._elapsed()
        while self._steps and elapsed >= self._steps[0][0] * self._grace:
            self._send(self._steps.pop(0)[1])
        if not self._steps:
            self._steps = [LADDER[-1]]
            return _KILL_INTERVAL
        return max(0.0, self._steps[0][0] * self._grace - elapsed)

    def note(self, number: signal.Signals) -> None:
        """Count a signal that was sent by other means."""
        order = (None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        self.highest = max(self.highest, number, key=order.index)

    def _send(self, number: signal.Signals) -> None:
        self.note(number)
        if number == signal.SIGINT:
            # The child is not reaped yet, so the pid is still its own.
            os.kill(self._cli, number)
            return
        for process in processes.descendants(os.getpid()):
            with suppress(PermissionError):
                processes.send_signal(process, number)
                self.signalled.add(process)

    def _elapsed(self) -> float:
        return 0.0 if self._started_at is None else time.monotonic() - self._started_at
