"""A buffer of bytes between two greenlets, which bounds what a slow reader costs; knows gevent."""

import gevent
from gevent.event import Event

#: Bytes that are held before the writer has to wait.
MOST = 1 << 17


class Buffer:
    """Bytes on their way from one writer to one reader."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_readable = Event()
        self._is_writable = Event()
        #: Whether nothing more is written.
        self.is_closed = False
        self._has_reader = False

    def write(self, piece: bytes) -> None:
        """Add a piece; waits while the buffer is full.

        A reader that waits gets it before this returns.
        """
        self._pieces.append(piece)
        self._size += len(piece)
        self._is_readable.set()
        if self._has_reader:
            # The writer's source may always be ready, and then no other greenlet would run.
            gevent.sleep(0)
        while self._size >= MOST:
            self._is_writable.clear()
            self._is_writable.wait()

    def close(self) -> None:
        """End the buffer: after what is in it, the reader gets None."""
        self.is_closed = True
        self._is_readable.set()

    def read(self, patience: float) -> bytes | None:
        """All bytes that are there: b"" if none come within so many seconds, None at the end."""
        if not self._pieces and not self.is_closed:
            self._has_reader = True
            self._is_readable.wait(patience)
            self._has_reader = False
        self._is_readable.clear()
        if not self._pieces:
            return None if self.is_closed else b""
        found = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        self._is_writable.set()
        return found
