"""The writer of the CLI's standard input.

Standard library alone, because the supervisor imports this.
"""

import os


class StdinWriter:
    """Writes a file to the CLI's standard input, a pipe, and closes the pipe after the last byte.

    The CLI does not read stream-json input from a regular file (2.1.197: exit 0, no output).
    """

    def __init__(self, source: int, descriptor: int) -> None:
        self._source = source
        self._pending = b""
        self.descriptor: int | None = descriptor
        os.set_blocking(descriptor, False)
        self.write()

    def write(self) -> None:
        """Write as much as the pipe accepts."""
        while self.descriptor is not None:
            if not self._pending:
                self._pending = os.read(self._source, 1 << 16)
            if not self._pending:
                self.close()
                return
            try:
                written = os.write(self.descriptor, self._pending)
            except BlockingIOError:
                return
            except BrokenPipeError:
                self.close()
                return
            self._pending = self._pending[written:]

    def close(self) -> None:
        """Close both ends; a second call does nothing."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            os.close(self._source)
            self.descriptor = None
