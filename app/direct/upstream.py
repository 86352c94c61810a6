"""The model's API as an HTTP server.

Ordinary blocking Python, which gevent makes cooperative in a worker.
"""

from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import should_bypass_proxies

from app.direct.failures import broken
from app.version import VERSION

#: Bytes that are read at a time.
CHUNK = 1 << 16
# Seconds until the connection is there, and without a byte: some answers that are not streamed take
# ten minutes.
_TIMEOUTS = (10.0, 660.0)


class UpstreamResponse:
    """A response whose head has arrived; `close` must be called."""

    def __init__(self, response: requests.Response, host: str | None) -> None:
        self._response = response
        self._host = host
        self._is_whole = False
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        #: Whether it is a stream of events.
        self.is_stream = kind == "text/event-stream"

    def read(self) -> bytes:
        """The bytes that have arrived, at least one; none at the end. Raises UpstreamRefused."""
        try:
            chunk: bytes = self._response.raw.read1(CHUNK)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            why = type(error).__name__
            raise broken(f"The response of {self._host} has broken off ({why})") from None
        self._is_whole = not chunk
        return chunk

    def read_all(self, limit: int) -> bytes:
        """The whole body, if it has at most `limit` bytes. Raises UpstreamRefused."""
        pieces, size = [], 0
        while chunk := self.read():
            pieces.append(chunk)
            size += len(chunk)
            if size > limit:
                raise broken(f"The response of {self._host} has more than {limit} bytes")
        return b"".join(pieces)

    def close(self) -> None:
        """Release the connection, for another request if this response was read to its end."""
        if not self._is_whole:
            self._response.raw.close()
        self._response.close()


class Upstream:
    """The model's API at a base URL, with connections that stay open between requests."""

    def __init__(self, base: str, environment: Mapping[str, str], connections: int) -> None:
        """`environment` is the CLI's: it has the proxy, if there is one.

        At most so many `connections` stay open.
        """
        self._base = base
        self._host = urlsplit(base).hostname
        self._session = requests.Session()
        # Not the variables of this process, and no ~/.netrc, whose password would replace the key.
        self._session.trust_env = False
        self._session.proxies.update(_proxies(environment, self._base))
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        self._session.headers.update(
            {
                "User-Agent": f"claudecode2api/{VERSION}",
                "Accept": "*/*",
                # Each event is passed on at once.
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
            }
        )
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> UpstreamResponse:
        """Send a request; returns once the head of the response is there.

        Raises UpstreamRefused if there is none.
        """
        try:
            response = self._session.post(
                self._base + path,
                data=body,
                headers=dict(headers),
                stream=True,
                timeout=_TIMEOUTS,
                allow_redirects=False,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            why = type(error).__name__
            raise broken(f"The model's API at {self._host} cannot be reached ({why})") from None
        return UpstreamResponse(response, self._host)


def _proxies(environment: Mapping[str, str], url: str) -> dict[str, str]:
    """The proxy that leads to a URL, by the variables that the CLI heeds, too."""
    variables = {name.lower(): value for name, value in environment.items() if value}
    scheme = urlsplit(url).scheme
    proxy = variables.get(f"{scheme}_proxy")
    if proxy is None or should_bypass_proxies(url, variables.get("no_proxy", "")):
        return {}
    return {scheme: proxy}
