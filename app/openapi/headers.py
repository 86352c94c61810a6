"""The headers of answers that clients may rely on, as the OpenAPI document tells them."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Header(NamedTuple):
    """A header of an answer, its schema in JSON Schema."""

    description: str
    schema: Mapping[str, Any]


_TEXT = {"type": "string"}

HEADERS = {
    "X-Request-ID": Header(
        "The request's id: yours, if you sent a sane one. The log names it, too.",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    ),
    "X-Process-ID": Header("The job's id.", {"type": "string", "format": "uuid"}),
    "Location": Header("Where the job's stream is.", _TEXT),
    "Preference-Applied": Header("`respond-async`.", {"const": "respond-async"}),
    "WWW-Authenticate": Header("The challenge of RFC 7617.", _TEXT),
    "Retry-After": Header("Seconds after which to come back.", {"type": "integer", "minimum": 0}),
    "ETag": Header("What this version of the answer is called (If-None-Match).", _TEXT),
    "Cache-Control": Header("Whether this may be kept, and changed on the way.", _TEXT),
    "X-Accel-Buffering": Header("`no`: a proxy is to pass each event on at once.", {"const": "no"}),
    "X-Session-ID": Header("The session, to go on with it.", _TEXT),
    "X-Claude-Ignored": Header("The parameters that change nothing here.", _TEXT),
    "Content-Security-Policy": Header("What the page may load: our own files alone.", _TEXT),
}
