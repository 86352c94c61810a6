"""The journal of events: a line for each change of a job, a question or a run.

    STATE_DIR/events/journal  the newest lines, behind a line with the journal's name
                     journal.old  the journal before that

The process that makes a change appends the line, in one write, after the change. A line names what
has changed, and the records say how it is now. So an event is a hint, and a reader that finds a
journal gone or damaged looks at everything anew. Nothing is read, synced or awaited for it.
Standard library alone, because the supervisor imports this.
"""

import fcntl
import os
import re
import time
from contextlib import suppress
from typing import Literal, NamedTuple

from app.state import files

#: The folder in STATE_DIR.
FOLDER = "events"
#: Bytes at which a new journal begins.
LARGEST = 1 << 19
#: Bytes beyond which a journal counts as damaged: only a job makes such a one.
_MOST = LARGEST * 4

Kind = Literal["job", "run", "asked", "closed"]

_HEAD = re.compile(rb"journal ([0-9a-f]{16})\n")
_HEAD_SIZE = 25
_POSITION = re.compile("([0-9a-f]{16})-([0-9]{1,9})")


class Position(NamedTuple):
    """A place behind a line: the journal's name, and an offset in bytes."""

    journal: str
    offset: int

    def __str__(self) -> str:
        return f"{self.journal}-{self.offset}"


class Read(NamedTuple):
    """The lines behind a position, to `end`; not `is_complete` if there are none there any more."""

    lines: list[str]
    end: Position
    is_complete: bool


def journal_file(state: str) -> str:
    """The path of the journal."""
    return f"{state}/{FOLDER}/journal"


def note(state: str, kind: Kind, item: str) -> None:
    """Append a line. Raises nothing: an event that is missing must not disturb a job."""
    path, line = journal_file(state), f"{kind} {item}\n".encode()
    try:
        if not _append(path, line):
            # A new journal has begun meanwhile, and its readers may not look at the old one.
            _append(path, line)
    except OSError:
        # The disk is full, or a job has put something in its place. Readers notice a new journal.
        files.discard(path)
        with suppress(OSError):
            _append(path, line)


def parse_position(text: str) -> Position | None:
    """The position that a text stands for, if any.

    >>> parse_position(str(Position("0123456789abcdef", 25)))
    Position(journal='0123456789abcdef', offset=25)
    """
    found = _POSITION.fullmatch(text)
    return Position(found[1], int(found[2])) if found else None


def end_of(state: str) -> Position:
    """The end of the journal, which is made if there is none. Raises OSError."""
    path = journal_file(state)
    descriptor = _open(path, os.O_RDONLY)
    try:
        name, size = _name_of(descriptor), os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    if name is None or size > _MOST:
        files.discard(path)
        os.close(_open(path, os.O_RDONLY))
        return end_of(state)
    return Position(name, size)


def read(state: str, start: Position, until: Position | None = None) -> Read:
    """The lines behind `start`, at most to `until` if that is in the same journal.

    Raises OSError.
    """
    end = end_of(state)
    stop = end.offset
    if until is not None and until.journal == end.journal:
        stop = min(stop, until.offset)
    lines = None
    if start.journal == end.journal:
        lines = _lines(journal_file(state), start, stop)
    else:
        with suppress(OSError):
            old = _lines(f"{journal_file(state)}.old", start, None)
            new = _lines(journal_file(state), Position(end.journal, _HEAD_SIZE), stop)
            lines = None if old is None or new is None else (old[0] + new[0], new[1])
    if lines is None:
        return Read([], end, is_complete=False)
    return Read(lines[0], Position(end.journal, lines[1]), is_complete=True)


def _lines(path: str, start: Position, stop: int | None) -> tuple[list[str], int] | None:
    """The whole lines of one journal, and where the last one ends; None if they are not there."""
    descriptor = files.open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        stop = size if stop is None else stop
        if _name_of(descriptor) != start.journal or not _HEAD_SIZE <= start.offset <= stop <= size:
            return None
        if stop - start.offset > _MOST:
            return None
        # With the end of the line before.
        content = os.pread(descriptor, stop - start.offset + 1, start.offset - 1)
    finally:
        os.close(descriptor)
    if not content.startswith(b"\n"):
        return None
    content = content[1 : content.rfind(b"\n") + 1]
    return content.decode(errors="replace").split("\n")[:-1], start.offset + len(content)


def _append(path: str, line: bytes) -> bool:
    """Append a line; False if that was not the journal any more. Raises OSError."""
    descriptor = _open(path, os.O_WRONLY | os.O_APPEND)
    try:
        if os.fstat(descriptor).st_size >= LARGEST and _begin_anew(path, descriptor):
            return False
        if os.write(descriptor, line) != len(line):
            raise OSError("the disk is full")
        return files.is_same(path, os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _begin_anew(path: str, descriptor: int) -> bool:
    """Move a full journal aside; False if another process does so. Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Perhaps a job holds it.
        if os.fstat(descriptor).st_size < 2 * LARGEST:
            return False
    if files.is_same(path, os.fstat(descriptor)):
        os.replace(path, f"{path}.old")
    return True


def _open(path: str, flags: int) -> int:
    """Open the journal, which is made if there is none. Raises OSError."""
    try:
        return files.open_file(path, flags)
    except FileNotFoundError:
        temporary = f"{path}.{os.getpid()}.{time.monotonic_ns()}"
    try:
        files.write_file(temporary, b"journal %s\n" % os.urandom(8).hex().encode())
        with suppress(FileExistsError):
            os.link(temporary, path, follow_symlinks=False)
    finally:
        files.discard(temporary)
    return files.open_file(path, flags)


def _name_of(descriptor: int) -> str | None:
    found = _HEAD.match(os.pread(descriptor, _HEAD_SIZE, 0))
    return found[1].decode() if found else None
