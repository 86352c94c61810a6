"""Work that the launcher leaves to a child, because it may take long.

The launcher's own. Standard library alone.
"""

import time
from collections.abc import Callable

from app.runs.launcher.pool import Pool


class Chore:
    """One kind of work: done by one child at a time, and again once it is due again.

    `pause` is in seconds, from the start of one child to that of the next.
    """

    def __init__(self, pool: Pool, work: Callable[[], object], pause: float = 0.0) -> None:
        self._pool = pool
        self._work = work
        self._pause = pause
        self._child: int | None = None
        self._not_before = 0.0
        #: Whether there may be something to do.
        self.is_due = False

    def start(self) -> None:
        """Start a child if the work is due and none is at it."""
        now = time.monotonic()
        if not self.is_due or self._child is not None or now < self._not_before:
            return
        try:
            self._child = self._pool.fork(self._work)
        except OSError:
            # No process could be started; it stays due.
            return
        self._not_before = now + self._pause
        self.is_due = False

    def reap(self, pid: int) -> None:
        """A child of the launcher has ended."""
        if pid == self._child:
            self._child = None
