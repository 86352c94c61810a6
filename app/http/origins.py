"""Which web pages may use the gateway: host names, cross-site requests, CORS."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, Request, Response, request

from app import origin
from app.errors import CrossSite, HostNotAllowed

_EXPOSED = "Location, Retry-After, X-Claude-Ignored, X-Process-ID, X-Request-ID, X-Session-ID"
_METHODS = "GET, POST, DELETE"
_HEADERS = "Authorization, Content-Type, Last-Event-ID, X-Request-ID"


class Origins:
    """The pages that the operator trusts, by the names in ALLOWED_HOSTS and CORS_ORIGINS.

    `allowed_hosts`, if any, stops pages whose name was made to resolve to this machine (DNS
    rebinding). `cors_origins` name the pages of other sites that may use the gateway. A page that
    only `*` or `null` names may be anyone's: it may use the gateway with credentials that it
    knows, and not with those that the browser has kept.
    """

    def __init__(self, allowed_hosts: Sequence[str], cors_origins: Sequence[str]) -> None:
        self._allowed_hosts = allowed_hosts
        self._named = [origin.pattern(name) for name in cors_origins if name not in origin.ANYONE]
        self._open = [origin.pattern(name) for name in cors_origins if name in origin.ANYONE]
        self._is_open_to_all = "*" in cors_origins

    def install(self, app: Flask) -> None:
        """Check every request's host, and answer the questions of browsers (CORS)."""
        app.before_request(self._check_host_and_answer_preflight)
        app.after_request(self._add_cors_headers)

    def refuse_cross_site(self, request: Request) -> None:
        """Raises CrossSite for what a browser sent because a foreign page wanted it.

        A browser adds cached credentials to such a request. Old browsers send no
        Sec-Fetch-Site, and for a plain GET no Origin; a GET changes nothing, and the page
        cannot read its answer.
        """
        sender = request.headers.get("Origin", "").lower()
        ours = _authority(f"//{request.host}")
        if self._is_named(sender) or (self._is_open(sender) and not _may_be_forged(request)):
            return
        if sender and (ours is None or _authority(sender) != ours):
            raise CrossSite
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise CrossSite

    def _check_host_and_answer_preflight(self) -> Response | None:
        if self._allowed_hosts and _host_name(request.host) not in self._allowed_hosts:
            raise HostNotAllowed
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        sender = request.headers.get("Origin", "").lower()
        if asks and (self._is_named(sender) or self._is_open(sender)):
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
    """Whether a page may have had the browser send this with credentials that it has kept.

    A browser asks before it sends JSON, a DELETE, or a header that a page sets, and without
    Access-Control-Allow-Credentials it keeps its own credentials back. It does not ask before a
    POST of text; then only a bearer token is surely the page's own.
    """
    is_simple = request.method == "POST" and request.mimetype != "application/json"
    kind = request.headers.get("Authorization", "").partition(" ")[0]
    return is_simple and kind.lower() != "bearer"


def _authority(url: str) -> tuple[str, int | None] | None:
    """Host and port of an origin or a Host header; None if it is opaque or malformed.

    The ports of http and https count as none: behind a proxy that speaks TLS, the Host header
    does not say which of them the browser used.

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


def _host_name(host: str) -> str:
    authority = _authority(f"//{host}")
    return authority[0] if authority else ""
