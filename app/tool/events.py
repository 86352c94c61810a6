r"""The parser of event streams (WHATWG's HTML standard, section 9.2). Pure.

A line ends at b"\n" and nowhere else: that is how the gateway writes, and its lines may contain
other characters that end a line elsewhere.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Event(NamedTuple):
    """One event of a stream, or a comment, whose name is empty."""

    name: str
    data: bytes
    id: str | None


def read_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    r"""The complete events; an incomplete one at the end is left out.

    >>> list(read_events([b"event: done\nda", b"ta: a\ndata: b\nid: 7\n\ndata: x"]))
    [Event(name='done', data=b'a\nb', id='7')]
    >>> list(read_events([b": ping\n"]))
    [Event(name='', data=b'ping', id=None)]
    """
    name, identity = "message", None
    data: list[bytes] = []
    for line in _lines(chunks):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                yield Event(name, b"\n".join(data), identity)
            name, identity, data = "message", None, []
        elif not field:
            yield Event("", value, None)
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode(errors="replace")
        elif field == b"id":
            identity = value.decode(errors="replace")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # Joined once per line: appending each chunk to a bytes object would take quadratic time.
    parts: list[bytes] = []
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        parts.append(first)
        if others:
            yield b"".join(parts)
            yield from others[:-1]
            parts = others[-1:]
