"""A lock that one process holds until it ends, such as the master or the launcher.

A record lock (fcntl(2)) belongs to one process: the kernel releases it when the process ends, and
its children do not inherit it. A job can hold the lock, too, or replace the file. Standard library
alone, because the launcher imports this.
"""

import errno
import fcntl
import os
import signal
import struct
import time

from app import processes
from app.state.file_rights import change_mode
from app.state.files import move_aside, open_file

#: Seconds to wait until a killed job has released the lock.
_PATIENCE = 5.0
# struct flock of fcntl(2) on 64-bit Linux.
_FLOCK = "hhqqi4x"


def acquire(path: str) -> int | None:
    """Acquire the lock of this file; None if another process of a gateway holds it.

    Closing the returned descriptor, or any other of the same file, releases it. A job that holds
    it is killed. Raises OSError.
    """
    lock = _open(path)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            holder = _holder(lock)
        except OSError:
            os.close(lock)
            raise
        if holder is None:
            # It was released just now.
            continue
        if not processes.is_marked(holder) or time.monotonic() > deadline:
            os.close(lock)
            return None
        _kill(holder)
        time.sleep(0.01)


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT
    try:
        return open_file(path, flags)
    except PermissionError:
        # A new file would have another lock.
        change_mode(path, 0o600)
        return open_file(path, flags)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENXIO):
            raise
    move_aside(path)
    return open_file(path, flags)


def holder_of(path: str) -> int | None:
    """The pid of the process that holds this file's lock; None if there is none, or on errors."""
    try:
        lock = open_file(path)
    except OSError:
        return None
    try:
        return _holder(lock)
    finally:
        os.close(lock)


def is_open_here(path: str) -> bool:
    """Whether this process has this file open, as the holder of its lock does."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.path.samestat(os.fstat(int(name)), status):
                return True
        except OSError:
            # The descriptor that listed the folder is closed.
            continue
    return False


def _holder(lock: int) -> int | None:
    query = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, query))
    return int(pid) if kind != fcntl.F_UNLCK and pid > 0 else None


def _kill(pid: int) -> None:
    """Kill this process if it belongs to a job."""
    process = processes.identify(pid)
    if process is not None and processes.is_marked(pid):
        processes.send_signal(process, signal.SIGKILL)
