"""In which form a client wants a job's output. Pure."""

from typing import Literal

from werkzeug.datastructures import MIMEAccept

Kind = Literal["text/event-stream", "application/x-ndjson", "application/json", "text/plain"]

_KINDS: tuple[Kind, ...] = (
    "text/event-stream",
    "application/x-ndjson",
    "application/json",
    "text/plain",
)


def choose(accept: MIMEAccept) -> Kind:
    """The form that an Accept header asks for; among equals, and by default, the events.

    Many clients say that they take JSON and anything else alike, and mean nothing by it.

    >>> choose(MIMEAccept([("application/json", 1), ("*/*", 1)]))
    'text/event-stream'
    >>> choose(MIMEAccept([("application/json", 1), ("*/*", 0.5)]))
    'application/json'
    """
    best = max(_KINDS, key=accept.quality)
    return best if accept.quality(best) > 0 else "text/event-stream"
