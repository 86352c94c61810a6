"""A file of counters: numbers by name, in the format of prometheus_client's multiprocess mode.

prometheus_client maps such a file into memory. If a job truncates the file, or the disk is full,
the next count ends the process with SIGBUS. Here the numbers are in memory, and each change is
written to the file. A number that cannot be written or read is only missing in the sums.
"""

import errno
import logging
import math
import os
import struct
from collections.abc import Iterator

from app.state.files import discard, open_file, read_file

log = logging.getLogger(__name__)

# The bytes of the file that are used, and four unused bytes.
_HEAD = struct.Struct("=i4x")
_LENGTH = struct.Struct("=i")
_NUMBERS = struct.Struct("=dd")

#: A name, its number, when that was set (0: unknown), and the number's offset in the file.
Entry = tuple[str, float, float, int]


class CounterFile:
    """The numbers of one process, instead of prometheus_client's `MmapedDict` (0.22).

    An existing file is continued.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._numbers: dict[str, tuple[float, float, int]] = {}
        try:
            found = entries_in(read_file(filename))
        except FileNotFoundError:
            found = []
        except (OSError, ValueError) as error:
            log.warning("the counters in %s are lost: %s", filename, error)
            discard(filename)
            found = []
        self._used = _HEAD.size
        for name, value, timestamp, position in found:
            self._numbers[name] = (value, timestamp, position)
            self._used = position + _NUMBERS.size
        self._file = self._open(filename)
        self._write(0, _HEAD.pack(self._used))

    @staticmethod
    def read_all_values_from_file(filename: str) -> Iterator[Entry]:
        """The entries of another process's file; none if it is damaged."""
        try:
            return iter(entries_in(read_file(filename)))
        except (OSError, ValueError):
            return iter(())

    def read_all_values(self) -> Iterator[tuple[str, float, float]]:
        """Each name with its number and when that was set."""
        for name, (value, timestamp, _) in self._numbers.items():
            yield name, value, timestamp

    def read_value(self, key: str) -> tuple[float, float]:
        """A number, initially 0, and when it was set."""
        value, timestamp, _ = self._numbers.get(key) or self._add(key)
        return value, timestamp

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set a number."""
        _, _, position = self._numbers.get(key) or self._add(key)
        self._numbers[key] = (value, timestamp, position)
        self._write(position, _NUMBERS.pack(value, timestamp))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    @staticmethod
    def _open(filename: str) -> int:
        try:
            return open_file(filename, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            # A new worker must start all the same: without one, the gateway would end.
            log.error("the metrics in %s will be missing: %s", filename, error)
            return os.open(os.devnull, os.O_RDWR)

    def _add(self, key: str) -> tuple[float, float, int]:
        name = key.encode()
        padded = name + b" " * (8 - (len(name) + 4) % 8)
        record = _LENGTH.pack(len(name)) + padded + _NUMBERS.pack(0.0, 0.0)
        self._write(self._used, record)
        self._used += len(record)
        self._numbers[key] = (0.0, 0.0, self._used - _NUMBERS.size)
        self._write(0, _HEAD.pack(self._used))
        return self._numbers[key]

    def _write(self, position: int, content: bytes) -> None:
        try:
            os.pwrite(self._file, content, position)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
                raise


def entries_in(content: bytes) -> list[Entry]:
    """The entries of a file with this content. Raises ValueError if it is damaged.

    >>> entries_in(b"")
    []
    """
    if len(content) < _HEAD.size:
        return []
    (used,) = _HEAD.unpack_from(content)
    if not 0 <= used <= len(content):
        raise ValueError("its header gives a wrong length")
    position = _HEAD.size
    found = []
    while position < used:
        if position + _LENGTH.size > used:
            raise ValueError("it is truncated")
        (length,) = _LENGTH.unpack_from(content, position)
        position += _LENGTH.size
        name = content[position : position + length].decode() if length > 0 else ""
        position += length + (8 - (length + 4) % 8)
        if not name.startswith("[") or position + _NUMBERS.size > used:
            raise ValueError("it is truncated")
        value, timestamp = _NUMBERS.unpack_from(content, position)
        if not math.isfinite(value):
            raise ValueError("it contains a value that is not a number")
        found.append((name, value, timestamp, position))
        position += _NUMBERS.size
    return found
