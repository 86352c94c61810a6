r"""Server-sent events (the WHATWG's HTML standard, section 9.2) made of a job's output. Pure.

A line ends at b"\n" and nowhere else, and nothing is decoded. Each chunk costs one split and one
join, whatever the number of its lines.
"""

import json
from collections.abc import Mapping
from typing import Any

#: Bytes of an unfinished line that are held back until the line ends. A longer line is passed
#: on in pieces, so that memory is bounded and joining is never quadratic.
LONGEST_HELD = 1 << 16

_BEGIN = b"event: message\ndata: "
_END = b"\nid: %d\n\n"
# Without name and id; %.0a writes nothing.
_BARE_BEGIN = b"data: "
_BARE_END = b"\n\n%.0a"


class Framer:
    r"""Turns chunks of a job's output into `message` events.

    The id of an event is the position in the output after its line: the next line begins there.
    Blank lines are skipped. A raw CR, which an event stream cannot carry, begins another `data:`
    line of the same event.

    >>> framer = Framer(0)
    >>> framer.feed(b'one\n\ntwo')
    b'event: message\ndata: one\nid: 4\n\n'
    >>> framer.finish()
    b'event: message\ndata: two\nid: 8\n\n'
    """

    def __init__(self, position: int, named: bool = True) -> None:
        """`position` is where the first chunk begins. Without `named`, events have only data."""
        self._begin = _BEGIN if named else _BARE_BEGIN
        self._end = _END if named else _BARE_END
        self._frame = self._begin + b"%b" + self._end
        self._position = position
        self._held = b""
        #: How many lines have ended so far.
        self.lines = 0
        #: Whether an event has begun that only the rest of its line can end.
        self.inside = False

    def begin(self, position: int) -> None:
        """The first chunk, which comes next, begins at this position."""
        self._position = position

    def feed(self, chunk: bytes) -> bytes:
        """The events that this chunk completes, and its part of a long line."""
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
        """The last event, when the output has ended without a newline."""
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
    r"""An event with JSON as its data.

    >>> event("done", {"process_id": "p"})
    b'event: done\ndata: {"process_id":"p"}\n\n'
    """
    text = json.dumps(data, separators=(",", ":"))
    identity = "" if position is None else f"id: {position}\n"
    return f"event: {name}\ndata: {text}\n{identity}\n".encode()


def comment(text: str) -> bytes:
    r"""A comment. Clients ignore it, and it keeps proxies from closing a silent connection.

    It ends with one newline: a blank line after it would be an event without data for some
    clients (httpx-sse 0.4, openai-go 3.42).

    >>> comment("ping")
    b': ping\n'
    """
    return f": {text}\n".encode()


def _data(line: bytes) -> bytes:
    return line.replace(b"\r", b"\ndata: ")
