"""Requests from web pages of other origins: CORS_ORIGINS allows some, the others are refused."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, Request, Response, request

from app import origin
from app.errors import CrossSite

_EXPOSED = (
    "Age, Location, Request-Id, Retry-After, X-Cache, X-Claude-Ignored, X-Estimated, X-Process-ID,"
    " X-Request-ID, X-Session-ID, X-Should-Retry"
)
_METHODS = "GET, POST, DELETE"
_HEADERS = "Authorization, Content-Type, Last-Event-ID, X-Request-ID"


class CrossOriginPolicy:
    """The origins in CORS_ORIGINS, whose pages may use the gateway.

    A page that only `*` or `null` allows must send its own credentials: those that the browser has
    cached are not accepted.
    """

    def __init__(self, cors_origins: Sequence[str]) -> None:
        self._named = [origin.pattern(name) for name in cors_origins if name not in origin.ANYONE]
        self._open = [origin.pattern(name) for name in cors_origins if name in origin.ANYONE]
        self._is_open_to_all = "*" in cors_origins

    def install(self, app: Flask) -> None:
        """Answer preflight requests, and add the CORS headers to other responses."""
        app.before_request(self._answer_preflight)
        app.after_request(self._add_cors_headers)

    def refuse_cross_site(self, request: Request) -> None:
        """Raise CrossSite for a request that a page of another site made the browser send.

        A browser adds cached credentials to such a request. Old browsers send no
        Sec-Fetch-Site, and no Origin with a plain GET; but a GET changes nothing, and the page
        cannot read the response.
        """
        sender = request.headers.get("Origin", "").lower()
        our_host = _authority(f"//{request.host}")
        if self._is_named(sender) or (self._is_open(sender) and not _may_be_forged(request)):
            return
        if sender and (our_host is None or _authority(sender) != our_host):
            raise CrossSite
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise CrossSite

    def _answer_preflight(self) -> Response | None:
        is_preflight = (
            request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        )
        sender = request.headers.get("Origin", "").lower()
        if is_preflight and (self._is_named(sender) or self._is_open(sender)):
            return Response(status=204)
        return None

    def _is_named(self, sender: str) -> bool:
        return any(pattern.fullmatch(sender) for pattern in self._named)

    def _is_open(self, sender: str) -> bool:
        return any(pattern.fullmatch(sender) for pattern in self._open)

    def _add_cors_headers(self, response: Response) -> Response:
        if self._named or self._open:
            response.vary.add("Origin")
        sender = request.headers.get("Origin", "")
        is_named = self._is_named(sender.lower())
        if is_named or self._is_open(sender.lower()):
            anyone = "*" if self._is_open_to_all else sender
            response.headers["Access-Control-Allow-Origin"] = sender if is_named else anyone
            if is_named:
                response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
            if request.method == "OPTIONS":
                # OpenAI's SDKs send a dozen headers of their own.
                response.headers["Access-Control-Allow-Methods"] = _METHODS
                response.headers["Access-Control-Allow-Headers"] = request.headers.get(
                    "Access-Control-Request-Headers", _HEADERS
                )
                response.headers["Access-Control-Max-Age"] = "600"
        return response


def _may_be_forged(request: Request) -> bool:
    """Whether the credentials may be the browser's cached ones, without the page knowing them.

    A browser sends a preflight request before JSON, a DELETE, or a header that a page sets, and
    without Access-Control-Allow-Credentials it adds no cached credentials. Before a POST of text
    there is no preflight; then only a bearer token is certainly the page's own.
    """
    is_simple = request.method == "POST" and request.mimetype != "application/json"
    kind = request.headers.get("Authorization", "").partition(" ")[0]
    return is_simple and kind.lower() != "bearer"


def _authority(url: str) -> tuple[str, int | None] | None:
    """Host and port of an origin or a Host header; None if it is opaque or malformed.

    The default ports of http and https count as none: behind a proxy that terminates TLS, the
    Host header does not show which of them the browser used.

    >>> _authority("https://example.org") == _authority("//example.org:80")
    True
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.hostname, None if port in (80, 443) else port
