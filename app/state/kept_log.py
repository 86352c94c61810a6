"""The end of the gateway's log, kept in `STATE_DIR/log` and, before that, `STATE_DIR/log.1`.

The master and all workers write there, a line with one write(2). Nothing that happens to the files
reaches a writer: a job may replace them, and the disk may be full. Then lines are missing there.
"""

import errno
import fcntl
import os
from contextlib import suppress

from app.state.files import discard, is_same, open_file

#: Bytes of each of the two files, about.
LARGEST = 1 << 20

# A job has put something else there, or has taken the rights to the file away.
_NOT_OURS = (
    *(errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENXIO),
    *(errno.EACCES, errno.EPERM),
)


class KeptLog:
    """The two files in this folder."""

    def __init__(self, state: str, largest: int = LARGEST) -> None:
        self._path = f"{state}/log"
        self._older = f"{state}/log.1"
        self._largest = largest

    def write(self, line: bytes) -> None:
        """Add a line, which ends with a newline, or drop it. Raises nothing."""
        try:
            descriptor = open_file(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            if error.errno in _NOT_OURS:
                discard(self._path)
            return
        try:
            with suppress(OSError):
                size = os.fstat(descriptor).st_size
                if size >= self._largest:
                    self._rotate(descriptor)
                # Twice as large, it could not be rotated: a job may hold its lock.
                if size < 2 * self._largest:
                    os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def lines(self, count: int, longest: int) -> list[str]:
        """The last `count` lines, oldest first, of the last `longest` bytes at most.

        Where a job has written to the files, they are whatever it wrote.
        """
        content = self._end_of(self._path, longest)
        if content.count(b"\n") < count and len(content) < longest:
            content = self._end_of(self._older, longest - len(content)) + content
        is_cut = len(content) >= longest
        lines = content.decode(errors="replace").split("\n")
        if lines[-1] == "":
            lines.pop()
        return lines[1 if is_cut else 0 :][-count:]

    def _rotate(self, descriptor: int) -> None:
        """Have the next line begin a new file. One process does, and the others go on writing."""
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have done it since this one has opened the file.
            if is_same(self._path, os.fstat(descriptor)):
                discard(self._older)
                os.rename(self._path, self._older)

    def _end_of(self, path: str, length: int) -> bytes:
        try:
            descriptor = open_file(path)
        except OSError:
            return b""
        try:
            size = os.fstat(descriptor).st_size
            start = max(0, size - length)
            return os.pread(descriptor, min(size, length), start)
        except OSError:
            return b""
        finally:
            os.close(descriptor)
