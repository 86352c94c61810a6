"""A folder's lock, which workers hold for the time of a few system calls."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds to wait for a lock: a job can hold it, too.
PATIENCE = 2.0
_PAUSES = (0.0005, 0.02)


class LockTimeout(TimeoutError):
    """Another process held the lock for too long."""


@contextmanager
def locked(folder: str | Path, patience: float = PATIENCE, shared: bool = False) -> Iterator[None]:
    """Hold this folder's lock (flock(2)); several processes can hold a `shared` one at once.

    Other greenlets run in the meantime. Raises OSError: LockTimeout after `patience` seconds,
    NotADirectoryError if this is not a folder.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _acquire(lock, str(folder), patience, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        # Under gevent, other greenlets run before the descriptor is closed, and one of them may
        # wait for this lock.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def _acquire(lock: int, folder: str, patience: float, kind: int) -> None:
    deadline = time.monotonic() + patience
    pause, longest = _PAUSES
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockTimeout(f"cannot lock {folder} within {patience:g} s") from None
            time.sleep(pause)
            pause = min(pause * 2, longest)
        else:
            return
