"""The splitter of a job's output into lines of bounded length. Pure."""

from collections.abc import Iterator


class LineSplitter:
    """Gives the lines of chunks, and skips those of more than `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._partial_line = b""
        self._skipping = False
        #: Whether a line was too long.
        self.has_skipped = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        r"""The lines that this chunk completes. An incomplete line is kept for the next one.

        >>> splitter = LineSplitter(100)
        >>> list(splitter.feed(b"a\nb")), list(splitter.feed(b"c\n"))
        ([b'a'], [b'bc'])
        """
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            if not self._skipping:
                yield self._partial_line + line
            self._partial_line, self._skipping = b"", False
        if self._skipping:
            return
        self._partial_line += rest
        if len(self._partial_line) > self._longest:
            self._partial_line, self._skipping = b"", True
            self.has_skipped = True
