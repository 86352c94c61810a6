"""The model's API as an HTTP server.

Ordinary blocking Python, which gevent makes cooperative in a worker. urllib3 is imported when it is
needed: gunicorn's master, which loads this module, must not hold what gevent replaces in a worker.
"""

import json
import logging
import ssl
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import certifi

from app.cli.lines import as_object
from app.direct.answer_reader import masked
from app.direct.failures import UpstreamRefused, broken, ended_by, refusal
from app.version import VERSION

if TYPE_CHECKING:
    import urllib3

log = logging.getLogger(__name__)

# The variable with a file of further authorities, which the CLI reads, too.
_MORE_AUTHORITIES = "NODE_EXTRA_CA_CERTS"
#: Bytes of the largest answer that is not streamed, and of a refusal.
LARGEST_MESSAGE = 32 << 20
_LARGEST_REFUSAL = 1 << 16
#: Bytes that are read at a time.
CHUNK = 1 << 16
# Seconds until the connection is there.
_CONNECT_PATIENCE = 10.0
# Seconds without a byte: some answers that are not streamed take ten minutes.
_READ_PATIENCE = 660.0
_HEADERS = {
    "User-Agent": f"claudecode2api/{VERSION}",
    "Accept": "*/*",
    # Each event is passed on at once.
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}


class UpstreamResponse:
    """A response whose head has arrived; `close` must be called."""

    def __init__(self, response: "urllib3.BaseHTTPResponse", host: str | None, secret: str) -> None:
        self._response = response
        #: The credentials that it was asked with.
        self.secret = secret.encode()
        self._host = host
        self._is_whole = False
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        #: Whether it is a stream of events.
        self.is_stream = kind == "text/event-stream"

    def read(self) -> bytes:
        """The bytes that have arrived, at least one; none at the end. Raises UpstreamRefused."""
        from urllib3.exceptions import HTTPError

        try:
            chunk = self._response.read1(CHUNK)
        except (HTTPError, OSError) as error:
            why = type(error).__name__
            raise broken(f"The response of {self._host} has broken off ({why})") from None
        self._is_whole = not chunk
        return chunk

    def read_all(self, limit: int) -> bytes:
        """The whole body, if it has at most `limit` bytes. Raises UpstreamRefused."""
        body = bytearray()
        while chunk := self.read():
            body += chunk
            if len(body) > limit:
                raise broken(f"The response of {self._host} has more than {limit} bytes")
        return masked(bytes(body), self.secret)

    def close(self) -> None:
        """Release the connection, for another request if this response was read to its end."""
        if not self._is_whole:
            self._response.close()
        self._response.release_conn()


def read_object_of(response: UpstreamResponse) -> dict[str, Any]:
    """The JSON object that a response is.

    Raises UpstreamRefused if it is another one, or reports an error.
    """
    if response.status != 200:
        try:
            body = response.read_all(_LARGEST_REFUSAL)
        except UpstreamRefused:
            # Its status says enough.
            body = b""
        raise refusal(response.status, response.headers, body)
    try:
        found = json.loads(response.read_all(LARGEST_MESSAGE))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise broken("The response of the model's API is not a JSON object")
    if found.get("type") == "error":
        error = as_object(found.get("error"))
        raise ended_by(str(error.get("type")), str(error.get("message")))
    return found


class Upstream:
    """The model's API at a base URL, with connections that stay open between requests."""

    def __init__(self, base: str, environment: Mapping[str, str], connections: int) -> None:
        """`environment` is the CLI's: it has the proxy, if there is one.

        At most so many `connections` stay open.
        """
        self._base = base
        self._host = urlsplit(base).hostname
        self._environment = environment
        self._connections = connections

    @cached_property
    def _pool(self) -> "urllib3.PoolManager":
        """The connections; most gateways need none."""
        import urllib3

        # Not through requests, which takes twice the time and four times the memory.
        proxy = _proxy(self._environment, self._base)
        context = _trusted(self._environment)
        if proxy is None:
            return urllib3.PoolManager(maxsize=self._connections, ssl_context=context)
        return urllib3.ProxyManager(
            proxy, maxsize=self._connections, ssl_context=context, proxy_ssl_context=context
        )

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str], secret: str
    ) -> UpstreamResponse:
        """Send a request; returns once the head of the response is there.

        `secret` is in the headers, and no response repeats it. Raises UpstreamRefused if there is
        no response.
        """
        from urllib3.exceptions import HTTPError
        from urllib3.util import Timeout

        try:
            response = self._pool.urlopen(
                "POST",
                self._base + path,
                body=body,
                headers={**_HEADERS, **headers},
                timeout=Timeout(connect=_CONNECT_PATIENCE, read=_READ_PATIENCE),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            why = type(error).__name__
            raise broken(f"The model's API at {self._host} cannot be reached ({why})") from None
        return UpstreamResponse(response, self._host, secret)


def _proxy(environment: Mapping[str, str], url: str) -> str | None:
    """The proxy that leads to a URL, by the variables that the CLI heeds, too."""
    variables = {name.lower(): value for name, value in environment.items() if value}
    proxy = variables.get(f"{urlsplit(url).scheme}_proxy")
    host = urlsplit(url).hostname or ""
    is_bypassed = proxy_bypass(host, {"no": variables.get("no_proxy", "")})
    return None if proxy is None or is_bypassed else proxy


def _trusted(environment: Mapping[str, str]) -> ssl.SSLContext:
    """The certificate authorities that are trusted: Mozilla's, the system's, the CLI's own."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    if more := environment.get(_MORE_AUTHORITIES):
        try:
            context.load_verify_locations(cafile=more)
        except OSError as error:
            log.warning("cannot use %s: %s", _MORE_AUTHORITIES, error)
    return context
