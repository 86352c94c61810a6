"""What is said to the CLI, fed to it through a pipe.

Standard library alone: the supervisor imports this.
"""

import os


class Feeder:
    """Feeds the input file to the CLI through a pipe, and closes it after the last byte.

    Through a pipe because the CLI does not read its stream-json input from a regular file
    (2.1.197: exit 0 and no output at all).
    """

    def __init__(self, source: int, descriptor: int) -> None:
        self._source = source
        self._pending = b""
        self.descriptor: int | None = descriptor
        os.set_blocking(descriptor, False)
        self.feed()

    def feed(self) -> None:
        """Write as much as the pipe takes."""
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
