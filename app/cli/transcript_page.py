"""A page of the entries of a transcript, read backwards from a position.

A transcript can be larger than the memory, and so can a line of it: the bytes that are read for a
page are bounded, and a line that is too long is replaced by a marker.
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.cli.lines import parse

#: Bytes of the longest line that is an entry, and characters of the longest text in one.
LONGEST_LINE = 1 << 20
LONGEST_TEXT = 1 << 15
#: Bytes of the entries of a page, unless it has a single one; bytes that are read for it.
PAGE_SIZE = 1 << 20
MOST_READ = 1 << 23

_BLOCK = 1 << 18
# Characters of a line that its marker shows.
_SHOWN = 1000
# What belongs to the conversation; the other lines are notes of the CLI.
_MESSAGES = ("user", "assistant", "system", "summary")
_TYPE_FIRST = re.compile(rb'\{"type":"([a-z-]{1,40})"')


class Page(NamedTuple):
    """Entries, the oldest first, and the position before them; None at the beginning."""

    entries: list[dict[str, Any]]
    before: int | None


class _Line(NamedTuple):
    """A line: its position, its length, and its text, or only the beginning of a long one.

    `is_whole` is False for a line whose beginning was not found.
    """

    start: int
    length: int
    text: bytes
    is_whole: bool = True


def read_page(file: int, before: int | None, limit: int, notes: bool) -> Page:
    """At most `limit` entries of an open transcript that lie before a position. Raises OSError.

    With `notes`, lines that are no messages are entries, too.
    """
    size = os.fstat(file).st_size
    end = size if before is None else min(before, size)
    entries: list[dict[str, Any]] = []
    used = 0
    place = end
    lines = _lines_before(file, end)
    # What follows the last newline: nothing, or a line that is being written.
    place = next(lines, _Line(0, 0, b"")).start
    for line in lines:
        entry = _entry(line, notes)
        if entry is not None:
            length = line.length
            if length > LONGEST_TEXT:
                entry = _shortened(entry)
                length = len(json.dumps(entry))
            if entries and used + length > PAGE_SIZE:
                break
            entries.append(entry)
            used += length
        place = line.start
        if len(entries) == limit:
            break
    return Page(entries[::-1], place or None)


def _lines_before(file: int, end: int) -> Iterator[_Line]:
    """The lines of an open file before a position, the last one first.

    The first of them is what lies between the last newline and the position.
    """
    at, read = end, 0
    # The line whose beginning is looked for: its length so far, and its text, if it is short.
    length, text = 0, b""
    while at > 0 and read < MOST_READ:
        begin = max(0, at - _BLOCK)
        block = os.pread(file, at - begin, begin)
        if len(block) < at - begin:
            # It was truncated just now.
            return
        read += len(block)
        stop = len(block)
        while (newline := block.rfind(b"\n", 0, stop)) >= 0:
            piece = block[newline + 1 : stop]
            length += len(piece)
            yield _line(file, begin + newline + 1, length, piece + text)
            length, text, stop = 0, b"", newline
        length += stop
        text = block[:stop] + text if length <= LONGEST_LINE else b""
        at = begin
    if at == 0:
        yield _line(file, 0, length, text)
    elif length:
        yield _Line(at, length, b"", is_whole=False)


def _line(file: int, start: int, length: int, text: bytes) -> _Line:
    if length > LONGEST_LINE:
        text = os.pread(file, _SHOWN, start)
    return _Line(start, length, text)


def _entry(line: _Line, notes: bool) -> dict[str, Any] | None:
    """The entry of a line; None if it has none."""
    kind = _TYPE_FIRST.match(line.text)
    if kind and not notes and kind[1].decode() not in _MESSAGES:
        return None
    if not line.is_whole or line.length > LONGEST_LINE:
        shown = line.text.decode(errors="replace")
        # Of a line whose beginning was not found, the length is not known.
        return {"type": "cut", "bytes": line.length if line.is_whole else None, "text": shown}
    entry = parse(line.text)
    return entry if entry and (notes or entry.get("type") in _MESSAGES) else None


def _shortened(value: Any) -> Any:
    """The value with the long texts in it cut off, and a note at the end of each."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}… [cut: {len(value)} characters]"
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    if isinstance(value, dict):
        return {name: _shortened(each) for name, each in value.items()}
    return value
