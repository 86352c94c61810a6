"""A task that the launcher runs in a child process, because it may take long.

Standard library alone, because the launcher imports this.
"""

import time
from collections.abc import Callable

from app.runs.launcher.children import Children


class BackgroundTask:
    """A task that one child at a time runs, whenever it is due.

    `interval` is the least number of seconds between the starts of two children.
    """

    def __init__(
        self, children: Children, work: Callable[[], object], interval: float = 0.0
    ) -> None:
        self._children = children
        self._work = work
        self._interval = interval
        self._child: int | None = None
        self._not_before = 0.0
        #: Whether there may be work to do.
        self.is_due = False

    def start_if_due(self) -> None:
        """Start a child if the task is due and no child runs it."""
        now = time.monotonic()
        if not self.is_due or self._child is not None or now < self._not_before:
            return
        try:
            self._child = self._children.fork(self._work)
        except OSError:
            # The fork failed; the task stays due.
            return
        self._not_before = now + self._interval
        self.is_due = False

    def on_exit(self, pid: int) -> None:
        """Note that a child of the launcher has exited."""
        if pid == self._child:
            self._child = None
