"""The file of a run's output, with the wake-up of its readers.

A job runs as the gateway's user and can replace the file, or make it larger than the disk. Standard
library alone, because the supervisor imports this.
"""

import os
import stat
from contextlib import suppress

from app.state import files
from app.state.file_rights import change_mode

# The least size of a hole that the CLI cannot have written, in bytes.
_HOLE = 1 << 24
# How many smaller holes are looked at.
_MOST_HOLES = 1000
# The modes through which `ring` goes, so that readers notice the change. With two of them, only
# `open_to_write` opens the file for writing.
_MODES = (0o600, 0o400, 0o500, 0o700)
# How often other processes may ring while the file is opened for writing.
_MOST_RINGS = 100


def open_output(path: str) -> int:
    """Open the output for reading; an empty file, if a job has removed or replaced it."""
    try:
        return files.open_file(path)
    except OSError:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def open_to_write(path: str, flags: int) -> int:
    """Open the output for writing with these flags (open(2)), whichever mode it has.

    The caller rings after it has written. Raises OSError.
    """
    for _ in range(_MOST_RINGS):
        with suppress(PermissionError):
            return files.open_file(path, flags)
        # On to the last mode, not back to one before: a reader that has not looked since would
        # notice nothing.
        change_mode(path, _MODES[-1])
    return files.open_file(path, flags)


def status_of(path: str) -> os.stat_result | None:
    """The file's status, or None if there is no regular file of this name."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def is_output(path: str, descriptor: int) -> bool:
    """Whether this path still names this open file."""
    status = status_of(path)
    return status is not None and os.path.samestat(status, os.fstat(descriptor))


def ring(path: str, descriptor: int | None = None) -> None:
    """Wake every reader of this file by a change of its mode. Raises OSError.

    `descriptor` is the open file, if the caller has it. If the job has removed the file, or put
    something else in its place, an empty file replaces it.
    """
    if descriptor is not None:
        os.fchmod(descriptor, _next_mode(os.fstat(descriptor).st_mode))
        if is_output(path, descriptor):
            return
    status = status_of(path)
    if status is None:
        files.replace_file(path, b"")
        status = status_of(path)
    if status is not None:
        change_mode(path, _next_mode(status.st_mode))


def cut_holes(path: str) -> None:
    """Cut the output off at its first large hole: the CLI writes none, but a job can make one.

    The search for the last line in a hole of 300 GB would take minutes.
    """
    with suppress(OSError):
        descriptor = open_to_write(path, os.O_RDWR)
        try:
            end = data_end(descriptor, 0)
            if end < os.fstat(descriptor).st_size:
                os.ftruncate(descriptor, end)
        finally:
            os.close(descriptor)


def data_end(descriptor: int, position: int) -> int:
    """Where the next large hole of an open file begins, or its end (lseek(2)).

    Small holes count as data: some file systems store written zeros as such.
    """
    size = os.fstat(descriptor).st_size
    hole = position
    for _ in range(_MOST_HOLES):
        hole = _seek(descriptor, position, os.SEEK_HOLE, size)
        position = _seek(descriptor, hole, os.SEEK_DATA, size)
        if position - hole >= _HOLE:
            return hole
        if position >= size:
            return size
    return hole


def _seek(descriptor: int, position: int, whence: int, otherwise: int) -> int:
    try:
        return os.lseek(descriptor, position, whence)
    except OSError:
        # There is none after this position.
        return otherwise


def _next_mode(mode: int) -> int:
    """
    >>> oct(_next_mode(0o100600)), oct(_next_mode(0o100700)), oct(_next_mode(0o100444))
    ('0o400', '0o600', '0o600')
    """
    bits = stat.S_IMODE(mode)
    if bits not in _MODES:
        return _MODES[0]
    return _MODES[(_MODES.index(bits) + 1) % len(_MODES)]
