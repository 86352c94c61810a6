"""The election of the keeper, the worker that does the work that only one has to do."""

import os
import time

from app.state.files import is_same
from app.state.process_lock import acquire

#: The file in STATE_DIR whose lock the keeper holds.
LOCK = "keeper.lock"
# Seconds between two attempts.
_AGAIN = 1.0


class Keeper:
    """This process as a candidate. When a keeper dies, the kernel releases its lock."""

    def __init__(self, state: str) -> None:
        self._path = f"{state}/{LOCK}"
        self._lock: int | None = None
        self._not_before = 0.0

    def is_elected(self) -> bool:
        """Whether this process is the keeper; it becomes the keeper if there is none."""
        if self._lock is not None and not is_same(self._path, os.fstat(self._lock)):
            # A job has removed the file, so another process may be the keeper now.
            self.resign()
        if self._lock is None and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + _AGAIN
            try:
                self._lock = acquire(self._path)
            except OSError:
                return False
        return self._lock is not None

    def resign(self) -> None:
        """Let another process be the keeper."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
