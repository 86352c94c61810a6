"""One lock over all workers, for the time of a few system calls."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Hold this folder's lock (flock(2)). Whoever waits for it does nothing else meanwhile."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        # Under gevent the descriptor is closed only when others have had their turn, and one
        # of them may wait for this lock.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)
