"""The stamp of a file, which shows whether the file is still as the gateway left it.

A job can change any file of STATE_DIR, but it cannot set a file's time of change (ctime). The stamp
is a second file that contains this time, the file's inode and its size. The size of a stamp never
changes, so it can be written on a full disk.
"""

import json
import os
import stat
from typing import NamedTuple

from app.state.files import open_file
from app.state.record_file import read_as

_SIZE = 256


class Stamp(NamedTuple):
    """A file's status when it was stamped; `is_complete` is set by the writer."""

    is_complete: bool
    inode: int
    size: int
    changed: int


def read_stamp(path: str, stamped: str) -> Stamp | None:
    """The stamp at this path if it fits the file `stamped`, otherwise None."""
    stamp = read_as(Stamp, path)
    return stamp if stamp is not None and stamp == _of(stamped, stamp.is_complete) else None


def write_stamp(path: str, stamped: str, is_complete: bool) -> None:
    """Stamp a file as it is now. Raises OSError."""
    stamp = _of(stamped, is_complete)
    if stamp is None:
        raise FileNotFoundError(stamped)
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.pwrite(descriptor, json.dumps(stamp._asdict()).encode().ljust(_SIZE), 0)
        os.ftruncate(descriptor, _SIZE)
    finally:
        os.close(descriptor)


def _of(path: str, is_complete: bool) -> Stamp | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Stamp(is_complete, found.st_ino, found.st_size, found.st_ctime_ns)
