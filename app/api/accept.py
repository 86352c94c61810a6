"""The Accept header: the form in which a client wants an answer. Pure."""

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
    """The media type to respond with; text/event-stream by default and among equals.

    Many clients accept JSON and anything else alike, and mean nothing by it. Parameters of a
    media type, such as `charset`, are ignored.

    >>> choose("application/json, */*")
    'text/event-stream'
    >>> choose("application/json;charset=utf-8, */*;q=0.5")
    'application/json'
    """
    accepted = parse_accept_header(accept, MIMEAccept)
    plain = MIMEAccept((kind.partition(";")[0].strip(), quality) for kind, quality in accepted)
    best = max(_KINDS, key=plain.quality)
    return best if plain.quality(best) > 0 else "text/event-stream"


def prefers_page(accept: str) -> bool:
    """Whether a client would rather have a page (text/html) than JSON, as browsers would.

    >>> prefers_page("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
    True
    >>> prefers_page("*/*"), prefers_page(""), prefers_page("text/html, application/json")
    (False, False, False)
    """
    return _prefers(accept, "text/html")


def prefers_text(accept: str) -> bool:
    """Whether a client would rather have plain text than JSON.

    >>> prefers_text("text/plain"), prefers_text("*/*"), prefers_text("")
    (True, False, False)
    """
    return _prefers(accept, "text/plain")


def _prefers(accept: str, kind: str) -> bool:
    """Whether a client would rather have this media type than JSON."""
    accepted = parse_accept_header(accept, MIMEAccept)
    return accepted.quality(kind) > accepted.quality("application/json")
