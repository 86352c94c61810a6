"""Static files: pages and what they load, cached by browsers."""

import hashlib
from functools import cache
from http import HTTPStatus
from pathlib import Path

from flask import Response, request
from werkzeug.wsgi import wrap_file

#: The media types of the files that are served, by suffix.
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
#: Cache-Control of what may be another at the next request: browsers ask whether it still is.
REVALIDATED = "no-cache"


def page(content: bytes, policy: str) -> Response:
    """A page with this Content-Security-Policy, which no other page can show in a frame."""
    response = Response(content, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Frame-Options"] = "DENY"
    # A 304 cannot change the policy that a client has: another policy is another page.
    return cached(response, digest(content + policy.encode()))


def file(path: Path, kind: str, cache_control: str = REVALIDATED) -> Response:
    """A file of the media type `kind`."""
    response = Response(content_type=kind)
    response.content_length = path.stat().st_size
    cached(response, digest(path), cache_control)
    if response.status_code == HTTPStatus.OK and request.method == "GET":
        # Sent in pieces, so that other requests are served in between.
        response.response = wrap_file(request.environ, path.open("rb"))
        response.direct_passthrough = True
    return response


def cached(response: Response, etag: str, cache_control: str = REVALIDATED) -> Response:
    """Let clients keep the response; it becomes a 304 if they have the same one."""
    response.set_etag(etag)
    response.headers["Cache-Control"] = cache_control
    response.make_conditional(request)
    return response


@cache
def digest(source: bytes | Path) -> str:
    """A text that is another for other content. A file of the gateway's code does not change."""
    content = source if isinstance(source, bytes) else source.read_bytes()
    return hashlib.sha256(content).hexdigest()[:32]
