"""The disk of STATE_DIR. Standard library alone: the supervisor imports this."""

import ctypes
import errno
import os

#: A disk with fewer free bytes counts as full.
NO_ROOM = 1 << 16


def free_bytes(path: str) -> int:
    """Bytes that this user can still write to the path's file system. Raises OSError."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def is_out_of_room(error: OSError) -> bool:
    """Whether this error means that the disk or the user's quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def sync(folder: str) -> None:
    """Write a folder's file system to the disk (syncfs(2)).

    This can take long: call it where nothing else waits. Raises OSError.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
    finally:
        os.close(descriptor)
