"""The writer of the CLI's standard input.

Standard library alone, because the supervisor imports this.
"""

import os
from collections import deque


class StdinWriter:
    """Writes what it is given to the CLI's standard input, a pipe, as fast as the CLI reads it.

    The CLI does not read stream-json input from a regular file (2.1.197: exit 0, no output).
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        # Bytes, or descriptors of open files whose rest is written.
        self._sources: deque[bytes | int] = deque()
        self._pending = b""
        self._ends = False
        os.set_blocking(descriptor, False)

    @property
    def blocked(self) -> int | None:
        """The pipe's descriptor if something is left to write, which waits for room in it."""
        return self._descriptor if self._pending or self._sources else None

    @property
    def is_open(self) -> bool:
        """Whether the CLI can still be sent something."""
        return self._descriptor is not None and not self._ends

    def send(self, *sources: bytes | int) -> None:
        """Write these after all that was sent before: bytes, or the rest of open files.

        The files are closed. Does nothing but that once the pipe is closed.
        """
        self._sources.extend(sources)
        self.write()

    def finish(self) -> None:
        """Close the pipe after the last byte."""
        self._ends = True
        self.write()

    def write(self) -> None:
        """Write as much as the pipe accepts."""
        while self._descriptor is not None and (self._pending or self._sources):
            if not self._pending:
                self._pending = self._read()
            try:
                written = os.write(self._descriptor, self._pending)
            except BlockingIOError:
                return
            except BrokenPipeError:
                break
            self._pending = self._pending[written:]
        if self._ends or self._pending or self._sources:
            self.close()

    def close(self) -> None:
        """Close the pipe and the files; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        while self._sources:
            source = self._sources.popleft()
            if isinstance(source, int):
                os.close(source)
        self._pending = b""

    def _read(self) -> bytes:
        """The next bytes to write; none at the end of a file."""
        source = self._sources[0]
        if isinstance(source, bytes):
            self._sources.popleft()
            return source
        chunk = os.read(source, 1 << 16)
        if not chunk:
            os.close(source)
            self._sources.popleft()
        return chunk
