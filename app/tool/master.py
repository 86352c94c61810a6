"""The gateway's first process on this machine, known by the lock that it holds."""

import fcntl
import os
import struct
from pathlib import Path

# struct flock of 64-bit Linux (fcntl(2)): type, whence, start, length, pid.
_FLOCK = "hhqqi4x"


def master_of(state: Path) -> int | None:
    """The pid of the gateway that uses this state folder; None if none does, or we may not look."""
    try:
        lock = os.open(state / "gateway.lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, asked))
    finally:
        os.close(lock)
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None
