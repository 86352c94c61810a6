"""Fetch what a client names by its URL, and nothing from within; knows gevent.

A name is resolved once, and refused if any of its addresses is not public. The connection goes
to the address that was looked at, with the name in Host and SNI, so that a name that changes
in between (DNS rebinding) leads nowhere. Each redirect is looked at anew.
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

#: Seconds that a URL may take, with all its redirects.
PATIENCE = 20.0
MOST_REDIRECTS = 3
#: Bytes that may come before an answer's content, and with it as sizes of chunks and trailers.
_MOST_BESIDES = 256 << 10
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)


class CannotFetch(Exception):
    """The URL cannot be fetched; the message says why."""


class _Place(NamedTuple):
    """Where a URL leads: the addresses to connect to, and what to ask for there."""

    scheme: str
    host: str
    port: int
    addresses: list[str]
    path: str
    authority: str


class _Wire(io.RawIOBase):
    """What comes over a connection: each read lets others run, and `left` bytes may come.

    gevent changes to another greenlet only where it has to wait. Without this, a site that sends
    faster than it is read would have the worker for itself, and no timeout would end it. And
    http.client reads interim answers, trailers and a chunk of size -1 without any end.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.left = _MOST_BESIDES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        gevent.sleep(0)
        count = self._raw.readinto(buffer)
        self.left -= count or 0
        if self.left < 0:
            raise CannotFetch("it sends too much")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer that is read from a _Wire, over TLS or not."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, method="GET")
        self.wire = _Wire(self.fp.detach())
        self.fp = io.BufferedReader(self.wire)


def fetch(
    url: str,
    limit: int,
    allowed: Callable[[str], bool] = is_public,
    patience: float = PATIENCE,
) -> bytes:
    """What is at this URL, at most `limit` bytes, within `patience` seconds. Raises CannotFetch.

    `allowed` judges each address.
    """
    try:
        with gevent.Timeout(patience):
            for _ in range(MOST_REDIRECTS + 1):
                content, target = _get(_locate(url, allowed), limit)
                if target is None:
                    return content
                url = urljoin(url, target)
    except gevent.Timeout:
        raise CannotFetch(f"it took longer than {patience:.1f} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CannotFetch(f"{type(error).__name__}") from None
    raise CannotFetch(f"it leads on more than {MOST_REDIRECTS} times")


def _locate(url: str, allowed: Callable[[str], bool]) -> _Place:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        raise CannotFetch("it is no URL") from None
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc:
        raise CannotFetch("it is no http or https URL without a user's name")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise CannotFetch("its host's name does not resolve") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(allowed(address) for address in addresses):
        raise CannotFetch("its host is not on the public internet")
    return _Place(parts.scheme, host, port, addresses, _target(parts), _authority(parts, host))


def _target(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def _authority(parts: SplitResult, host: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{parts.port}" if parts.port else name


def _connect(place: _Place) -> http.client.HTTPConnection:
    """A connection to the first of the addresses that takes one. Raises OSError."""
    for address in place.addresses:
        connection = http.client.HTTPConnection(address, place.port, timeout=PATIENCE)
        try:
            connection.connect()
        except OSError:
            connection.close()
            continue
        return connection
    raise ConnectionError("no address of the host takes a connection")


def _get(place: _Place, limit: int) -> tuple[bytes, str | None]:
    """The content, or where it has gone to."""
    connection = _connect(place)
    try:
        if place.scheme == "https":
            context = ssl.create_default_context()
            connection.sock = context.wrap_socket(connection.sock, server_hostname=place.host)
        connection.putrequest("GET", place.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", place.authority)
        connection.putheader("User-Agent", "claudecode2api")
        connection.putheader("Accept", "image/*")
        connection.endheaders()
        with _Answer(connection.sock) as answer:
            return _read(answer, limit)
    finally:
        connection.close()


def _read(answer: _Answer, limit: int) -> tuple[bytes, str | None]:
    answer.begin()
    if answer.status in _REDIRECTS:
        target = answer.getheader("Location")
        if not target:
            raise CannotFetch("it leads on to nowhere")
        return b"", target
    if answer.status != 200:
        raise CannotFetch(f"the answer's status is {answer.status}")
    answer.wire.left += limit
    content = answer.read(limit + 1)
    if len(content) > limit:
        raise CannotFetch(f"it has more than {limit} bytes")
    # Given a size, read() takes an early end for the end. What is missing is left in `length`.
    if answer.length:
        raise CannotFetch(f"its last {answer.length} bytes are missing")
    return content, None
