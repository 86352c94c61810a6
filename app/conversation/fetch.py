"""The download of a client's URL, from public addresses only. Uses gevent.

A host name is resolved once, and refused if any of its addresses is not public. The connection
goes to the address that was checked, with the name in Host and SNI, so a name that resolves to
another address a moment later (DNS rebinding) gains nothing. Each redirect is checked again.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

import gevent

from app.conversation.public_addresses import is_public

#: Seconds for a URL with all its redirects.
TIMEOUT = 20.0
MOST_REDIRECTS = 3
#: Bytes of a response beside its content: headers, chunk sizes and trailers.
_MOST_OVERHEAD = 256 << 10
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)


class CannotFetch(Exception):
    """The URL cannot be downloaded; the message is the reason."""


class _Target(NamedTuple):
    """The addresses that a URL leads to, and the request for it."""

    scheme: str
    host: str
    port: int
    addresses: list[str]
    path: str
    authority: str


class _BoundedStream(io.RawIOBase):
    """A connection's stream that yields at each read, and fails after `remaining` bytes.

    gevent switches greenlets only when a read blocks. A site that sends faster than it is read
    would keep the worker busy, and no timeout would end that. And http.client reads interim
    responses, trailers and a chunk of size -1 without a limit.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.remaining = _MOST_OVERHEAD

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        gevent.sleep(0)
        count = self._raw.readinto(buffer)
        self.remaining -= count or 0
        if self.remaining < 0:
            raise CannotFetch("the response has too much overhead")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """A response that is read from a _BoundedStream, over TLS or not."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, method="GET")
        self.stream = _BoundedStream(self.fp.detach())
        self.fp = io.BufferedReader(self.stream)


def fetch(
    url: str,
    limit: int,
    is_allowed: Callable[[str], bool] = is_public,
    timeout: float = TIMEOUT,
) -> bytes:
    """The content of this URL, at most `limit` bytes, within `timeout` seconds.

    `is_allowed` checks each IP address. Raises CannotFetch.
    """
    try:
        with gevent.Timeout(timeout):
            for _ in range(MOST_REDIRECTS + 1):
                content, location = _get(_resolve(url, is_allowed), limit)
                if location is None:
                    return content
                url = urljoin(url, location)
    except gevent.Timeout:
        raise CannotFetch(f"it took longer than {timeout:.1f} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CannotFetch(f"{type(error).__name__}") from None
    raise CannotFetch(f"it has more than {MOST_REDIRECTS} redirects")


def _resolve(url: str, is_allowed: Callable[[str], bool]) -> _Target:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        raise CannotFetch("it is not a URL") from None
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc:
        raise CannotFetch("it is not an http or https URL without user name")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise CannotFetch("its host name cannot be resolved") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(is_allowed(address) for address in addresses):
        raise CannotFetch("its host is not on the public internet")
    return _Target(parts.scheme, host, port, addresses, _path(parts), _authority(parts, host))


def _path(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def _authority(parts: SplitResult, host: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{parts.port}" if parts.port else name


def _connect(target: _Target) -> http.client.HTTPConnection:
    """A connection to the first address that accepts one. Raises OSError."""
    for address in target.addresses:
        connection = http.client.HTTPConnection(address, target.port, timeout=TIMEOUT)
        try:
            connection.connect()
        except OSError:
            connection.close()
            continue
        return connection
    raise ConnectionError("no address of the host accepts a connection")


def _get(target: _Target, limit: int) -> tuple[bytes, str | None]:
    """The content, or the location of a redirect."""
    connection = _connect(target)
    try:
        if target.scheme == "https":
            context = ssl.create_default_context()
            connection.sock = context.wrap_socket(connection.sock, server_hostname=target.host)
        connection.putrequest("GET", target.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", target.authority)
        connection.putheader("User-Agent", "claudecode2api")
        connection.putheader("Accept", "image/*")
        connection.endheaders()
        with _Response(connection.sock) as response:
            return _read(response, limit)
    finally:
        connection.close()


def _read(response: _Response, limit: int) -> tuple[bytes, str | None]:
    response.begin()
    if response.status in _REDIRECTS:
        location = response.getheader("Location")
        if not location:
            raise CannotFetch("the redirect has no Location")
        return b"", location
    if response.status != 200:
        raise CannotFetch(f"the response has status {response.status}")
    response.stream.remaining += limit
    content = response.read(limit + 1)
    if len(content) > limit:
        raise CannotFetch(f"it has more than {limit} bytes")
    # With a size, read() accepts an early end. `length` is then the number of missing bytes.
    if response.length:
        raise CannotFetch(f"the last {response.length} bytes are missing")
    return content, None
