"""Standard error that never blocks its writer.

A stopped terminal, a pipe that is not read or a journal that hangs would block every process that
logs a line, and so every request. Here a line that cannot be written at once is dropped and
counted. The descriptor keeps its flags, because the terminal and other processes share them.
Does not use gevent: the master imports this module before gevent patches the standard library.
"""

import _socket
import io
import os
import select
import stat
import sys
from collections.abc import Callable
from contextlib import suppress

# The most that can be written without blocking to a pipe that is ready (pipe(7)).
_PIECE = select.PIPE_BUF

Write = Callable[[bytes], int]


class NonblockingStderr(io.TextIOBase):
    """Replaces `sys.stderr`: each line is written at once or dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._write = _writer_for(descriptor)
        # The part of the last line that was not written yet.
        self._rest = b""
        self._dropped = 0
        #: Formats the line that reports how many lines were dropped.
        self.notice: Callable[[int], str] = lambda dropped: f"{dropped} lines were dropped\n"
        #: Called with the number of lines whenever some are dropped.
        self.on_drop: Callable[[int], None] = lambda _: None
        os.register_at_fork(after_in_child=self._reset)

    def fileno(self) -> int:
        """The descriptor of standard error."""
        return self._descriptor

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str, /) -> int:
        """Write the text now, or drop it."""
        notice = self.notice(self._dropped) if self._dropped else ""
        try:
            self._put((notice + text).encode(errors="backslashreplace"))
            self._dropped = 0
        except OSError:
            # Writing would block, or the other end is closed.
            lines = text.count("\n")
            self._dropped += lines
            self.on_drop(lines)
        return len(text)

    def _put(self, content: bytes) -> None:
        """Write `content`. Raises OSError, with nothing of it written, if it cannot start."""
        while self._rest:
            self._rest = self._rest[self._write(self._rest) :]
        written = self._write(content)
        self._rest = content[written:]
        with suppress(OSError):
            while self._rest:
                self._rest = self._rest[self._write(self._rest) :]

    def _reset(self) -> None:
        # The parent reports what it has dropped, and completes its unfinished line.
        self._dropped, self._rest = 0, b""


def replace_stderr() -> NonblockingStderr:
    """Replace `sys.stderr`, unless an earlier load of the code has done so, and return it."""
    if not hasattr(sys.stderr, "notice"):
        sys.stderr = NonblockingStderr(sys.stderr.fileno())
    stderr: NonblockingStderr = sys.stderr  # type: ignore[assignment]
    return stderr


def _writer_for(descriptor: int) -> Write:
    """A function that writes there; it raises BlockingIOError instead of blocking."""
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(kind):
        connection = _socket.socket(fileno=os.dup(descriptor))
        return lambda content: connection.send(content, _socket.MSG_DONTWAIT)
    if not stat.S_ISFIFO(kind) and not os.isatty(descriptor):
        # Writing to a file never blocks.
        return lambda content: os.write(descriptor, content)
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        # Opened a second time: O_NONBLOCK then applies to this descriptor alone.
        own = os.open(f"/proc/self/fd/{descriptor}", flags)
    except OSError:
        # It belongs to another user. It blocks only if another process fills it after the poll.
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        return lambda content: _write_if_ready(poll, descriptor, content)
    return lambda content: os.write(own, content)


def _write_if_ready(poll: "select.poll", descriptor: int, content: bytes) -> int:
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(descriptor, content[:_PIECE])
