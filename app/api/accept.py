"""In which form a client wants a job's output. Pure."""

from typing import Literal

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

Kind = Literal["text/event-stream", "application/x-ndjson", "application/json", "text/plain"]

_KINDS: tuple[Kind, ...] = (
    "text/event-stream",
    "application/x-ndjson",
    "application/json",
    "text/plain",
)


def choose(accept: str) -> Kind:
    """The form that an Accept header asks for; among equals, and by default, the events.

    Many clients say that they take JSON and anything else alike, and mean nothing by it. The
    parameters of a type, like `charset`, say nothing here.

    >>> choose("application/json, */*")
    'text/event-stream'
    >>> choose("application/json;charset=utf-8, */*;q=0.5")
    'application/json'
    """
    given = parse_accept_header(accept, MIMEAccept)
    plain = MIMEAccept((kind.partition(";")[0].strip(), quality) for kind, quality in given)
    best = max(_KINDS, key=plain.quality)
    return best if plain.quality(best) > 0 else "text/event-stream"
