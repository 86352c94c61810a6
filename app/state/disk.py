"""The room on the disk of STATE_DIR. Standard library alone: the supervisor imports this."""

import errno
import os

#: With fewer bytes left, a disk is full.
NO_ROOM = 1 << 16


def free_bytes(path: str) -> int:
    """Bytes that this user can still write to the file system of a path. Raises OSError."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def is_out_of_room(error: OSError) -> bool:
    """Whether this error means that the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
