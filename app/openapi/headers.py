"""The response headers that clients can rely on, for the OpenAPI document."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Header(NamedTuple):
    """A response header, its schema in JSON Schema."""

    description: str
    schema: Mapping[str, Any]


_TEXT = {"type": "string"}

HEADERS = {
    "X-Request-ID": Header(
        "The request's id, as in the log: the one that the client sent, if it is valid.",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    ),
    "X-Process-ID": Header("The job's id.", {"type": "string", "format": "uuid"}),
    "Location": Header("The path at which the job can be read.", _TEXT),
    "Preference-Applied": Header(
        "`respond-async`: the response did not wait for the job.", {"const": "respond-async"}
    ),
    "WWW-Authenticate": Header("How to log in (RFC 7617).", _TEXT),
    "Retry-After": Header(
        "After how many seconds to try again.", {"type": "integer", "minimum": 0}
    ),
    "ETag": Header("The version of this response, for If-None-Match.", _TEXT),
    "Cache-Control": Header("Whether caches may store the response and proxies change it.", _TEXT),
    "X-Accel-Buffering": Header("`no`: proxies must not buffer the stream.", {"const": "no"}),
    "X-Session-ID": Header("The session. Send it to continue the conversation.", _TEXT),
    "X-Estimated": Header("`true`: the number is an estimate.", {"const": "true"}),
    "X-Claude-Ignored": Header("The request's parameters that were ignored.", _TEXT),
    "X-Cache": Header(
        "Whose answer this is: `hit`: of an earlier job; `joined`: of an earlier request's job that"
        " was still running; `miss`: of a job of its own. Only with CACHE.",
        {"enum": ["hit", "joined", "miss"]},
    ),
    "Age": Header(
        "Seconds since the earlier job has answered (RFC 9111).", {"type": "integer", "minimum": 0}
    ),
    "Content-Security-Policy": Header("What the page may load: only files of the gateway.", _TEXT),
}


def header_object(header: Header) -> dict[str, Any]:
    """The header object of OpenAPI."""
    return {"description": header.description, "required": True, "schema": dict(header.schema)}
