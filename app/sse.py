r"""Bytes to event-stream frames, after the WHATWG's HTML standard, section 9.2. Pure.

A line ends at b"\n" and nowhere else, and nothing is decoded. The work is done per chunk:
one split and one join, however many lines the chunk holds.
"""

import json
from collections.abc import Mapping
from typing import Any

#: Bytes of an unfinished line that are held back until its end comes. A longer one is passed
#: on as it comes, so that memory stays bounded and no joining is quadratic.
LONGEST_HELD = 1 << 16

_BEGIN = b"event: message\ndata: "
_END = b"\nid: %d\n\n"
# Without a name and an id; %.0a writes nothing.
_BARE_BEGIN = b"data: "
_BARE_END = b"\n\n%.0a"


class Framer:
    r"""Turns chunks of a job's output into `message` events.

    Each event's id is the position in the output behind its line, so that going on there
    brings the next line. Blank lines are skipped. A raw CR, which an event stream cannot
    carry, begins another `data:` line of the same event.

    >>> framer = Framer(0)
    >>> framer.feed(b'one\n\ntwo')
    b'event: message\ndata: one\nid: 4\n\n'
    >>> framer.finish()
    b'event: message\ndata: two\nid: 8\n\n'
    """

    def __init__(self, position: int, named: bool = True) -> None:
        """`position` is where the first chunk begins. Not `named`: events are data alone."""
        self._begin = _BEGIN if named else _BARE_BEGIN
        self._end = _END if named else _BARE_END
        self._frame = self._begin + b"%b" + self._end
        self._position = position
        self._held = b""
        #: How many lines have come to their end so far.
        self.lines = 0
        #: Whether an event has begun that only the rest of its line can end.
        self.inside = False

    def feed(self, chunk: bytes) -> bytes:
        """The frames that this chunk completes, and the part of a long one that it brings."""
        data = self._held + chunk
        lines = data.split(b"\n")
        self._held = lines.pop()
        self.lines += len(lines)
        frames = []
        if lines and self.inside:
            frames.append(self._close(lines.pop(0)))
        if lines:
            frames.append(self._frames(lines, b"\r" in data))
        if self.inside:
            frames.append(self._pass_on())
        elif len(self._held) > LONGEST_HELD:
            self.inside = True
            frames += (self._begin, self._pass_on())
        return b"".join(frames)

    def finish(self) -> bytes:
        """What is left when no more bytes come: a last line without a newline."""
        if self.inside:
            return self._end % self._position
        if not self._held:
            return b""
        self._position += len(self._held)
        return self._begin + _data(self._held) + self._end % self._position

    def _frames(self, lines: list[bytes], escape: bool) -> bytes:
        end = self._position
        if escape:
            frames = [
                self._frame % (_data(line), end)
                for line in lines
                if (end := end + len(line) + 1) and line
            ]
        else:
            frames = [
                self._frame % (line, end) for line in lines if (end := end + len(line) + 1) and line
            ]
        self._position = end
        return b"".join(frames)

    def _close(self, rest: bytes) -> bytes:
        self.inside = False
        self._position += len(rest) + 1
        return _data(rest) + self._end % self._position

    def _pass_on(self) -> bytes:
        part, self._held = self._held, b""
        self._position += len(part)
        return _data(part)


def event(name: str, data: Mapping[str, Any], position: str | None = None) -> bytes:
    r"""One event of our own, its data as JSON.

    >>> event("done", {"process_id": "p"})
    b'event: done\ndata: {"process_id":"p"}\n\n'
    """
    text = json.dumps(data, separators=(",", ":"))
    identity = "" if position is None else f"id: {position}\n"
    return f"event: {name}\ndata: {text}\n{identity}\n".encode()


def comment(text: str) -> bytes:
    r"""A comment, which clients ignore: it keeps proxies from closing a silent connection.

    One newline ends it: a blank line behind it would be an event without data, which some
    clients take for one (httpx-sse 0.4, openai-go 3.42).

    >>> comment("ping")
    b': ping\n'
    """
    return f": {text}\n".encode()


def _data(line: bytes) -> bytes:
    return line.replace(b"\r", b"\ndata: ")
