"""The record of what spares are started with, `STATE_DIR/spare`.

Workers write it once they know that the CLI can wait for a claim (`app.jobs.spares`), and again
when the CLI has changed. Standard library alone, because the launcher imports this.
"""

import os
from contextlib import suppress
from typing import NamedTuple

from app.state import record_file


class SpareStart(NamedTuple):
    """What spares are started with, and their `number`.

    `cli` identifies the binary: a spare of an earlier one is replaced.
    """

    arguments: list[str]
    number: int
    cli: str


#: No spares.
NONE = SpareStart([], 0, "")


class SpareRecord:
    """Reads the record when it has changed."""

    def __init__(self, state: str) -> None:
        self._path = f"{state}/spare"
        self._seen: tuple[int, int] | None = None
        self._found = NONE

    def read(self) -> SpareStart:
        """What spares are started with now."""
        seen = None
        with suppress(OSError):
            status = os.lstat(self._path)
            seen = (status.st_ino, status.st_mtime_ns)
        if seen != self._seen:
            self._seen = seen
            self._found = record_file.read_as(SpareStart, self._path) or NONE
        return self._found

    def write(self, start: SpareStart) -> None:
        """Write the record, if it says something else. Raises OSError."""
        if self.read() != start:
            record_file.write_record(self._path, start._asdict())
