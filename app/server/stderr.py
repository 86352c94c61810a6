"""Standard error that never waits for its reader.

A terminal that was stopped, a pipe whose reader sleeps, or a journal that hangs would hold up
every writer of a line, and so every request. Here a line that cannot be written at once is dropped
and counted. The descriptor itself stays as it is: its modes are shared with the terminal and with
other processes that have it open. Knows nothing of gevent: what it uses was imported before gevent
changed it, in the gateway's first process.
"""

import _socket
import io
import os
import select
import stat
import sys
from collections.abc import Callable
from contextlib import suppress

# The most that a pipe with room takes without waiting for more of it (pipe(7)).
_PIECE = select.PIPE_BUF

Write = Callable[[bytes], int]


class Outlet(io.TextIOBase):
    """Takes the place of `sys.stderr`; lines are written or dropped, and never wait."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._write = _way_to(descriptor)
        # Of the last line, what there was no room for.
        self._rest = b""
        self._dropped = 0
        #: Makes the line that reports so many dropped ones.
        self.notice: Callable[[int], str] = lambda dropped: f"{dropped} lines were dropped\n"
        #: Is called with the number of lines whenever some are dropped.
        self.count: Callable[[int], None] = lambda _: None
        os.register_at_fork(after_in_child=self._begin_anew)

    def fileno(self) -> int:
        """The descriptor of standard error."""
        return self._descriptor

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str, /) -> int:
        """Write it now, or not at all."""
        notice = self.notice(self._dropped) if self._dropped else ""
        try:
            self._put((notice + text).encode(errors="backslashreplace"))
            self._dropped = 0
        except OSError:
            # No room, or the other end is closed.
            lines = text.count("\n")
            self._dropped += lines
            self.count(lines)
        return len(text)

    def _put(self, content: bytes) -> None:
        """Raises OSError, and has written nothing, if there is no room for a beginning of it."""
        while self._rest:
            self._rest = self._rest[self._write(self._rest) :]
        written = self._write(content)
        self._rest = content[written:]
        with suppress(OSError):
            while self._rest:
                self._rest = self._rest[self._write(self._rest) :]

    def _begin_anew(self) -> None:
        # What was dropped before, or is half written, the other process reports and ends.
        self._dropped, self._rest = 0, b""


def take_standard_error() -> Outlet:
    """Have `sys.stderr` be an outlet; a reload keeps the one that there is."""
    if not hasattr(sys.stderr, "notice"):
        sys.stderr = Outlet(sys.stderr.fileno())
    outlet: Outlet = sys.stderr  # type: ignore[assignment]
    return outlet


def _way_to(descriptor: int) -> Write:
    """How to write there without waiting; raises BlockingIOError where that would be needed."""
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(kind):
        connection = _socket.socket(fileno=os.dup(descriptor))
        return lambda content: connection.send(content, _socket.MSG_DONTWAIT)
    if not stat.S_ISFIFO(kind) and not os.isatty(descriptor):
        # A file, whose writers never wait.
        return lambda content: os.write(descriptor, content)
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        # Opened once more, so that it does not wait for us alone.
        own = os.open(f"/proc/self/fd/{descriptor}", flags)
    except OSError:
        # Another user's. Only between the look and the write could another writer fill it.
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        return lambda content: _write_if_ready(poll, descriptor, content)
    return lambda content: os.write(own, content)


def _write_if_ready(poll: "select.poll", descriptor: int, content: bytes) -> int:
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(descriptor, content[:_PIECE])
