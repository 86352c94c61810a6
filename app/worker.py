"""gunicorn's gevent worker, made to stop in order and to tell every error as JSON."""

import json
import logging
import socket
from contextlib import suppress
from typing import Any
from uuid import uuid4

import gevent
from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

log = logging.getLogger(__name__)

#: Seconds and bytes that are spent on what a refused client still sends.
LINGER_SECONDS = 1.0
LINGER_BYTES = 1 << 20

STOPPING = "the gateway stops or reloads"

# What gunicorn refuses before a request exists; the first kind that fits counts.
_REFUSED: dict[type[Exception], tuple[int, str, str]] = {
    errors.LimitRequestLine: (414, "URI Too Long", "uri_too_long"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large", "headers_too_large"),
    errors.ExpectationFailed: (417, "Expectation Failed", "expectation_failed"),
    errors.UnsupportedTransferCoding: (501, "Not Implemented", "transfer_coding_not_supported"),
    errors.ParseException: (400, "Bad Request", "bad_request"),
}


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Ends its streams as soon as it is told to stop, and idle connections with them."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._idle: set[socket.socket] = set()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection."""
        self._idle.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.discard(client)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve one request of a connection."""
        self._idle.discard(sock)
        super().handle_request(listener_name, req, sock, addr)
        if not self.alive:
            raise StopIteration
        self._idle.add(sock)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: take no more connections, end what is open."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._end_connections)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what failed outside of the application.

        gunicorn would answer a page of HTML and log the message, which may quote a header.
        """
        status, reason, code = 500, "Internal Server Error", "internal_error"
        for kind, told in _REFUSED.items():
            if isinstance(exc, kind):
                status, reason, code = told
                break
        request_id = uuid4().hex
        log.warning("request %s is refused: %s", request_id, type(exc).__name__)
        body = json.dumps({"detail": reason, "code": code, "request_id": request_id}).encode()
        head = (
            f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + body)
            _linger(client)
        except OSError:
            log.debug("request %s: its client has gone", request_id)

    def _end_connections(self) -> None:
        self.wsgi.extensions["jobs"].stop(STOPPING)
        for client in self._idle:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It has closed by itself.
                continue


def _linger(client: socket.socket) -> None:
    """Read what is still on its way: closing with it unread would reset the connection, and
    the client might never see the answer (RFC 9112, section 9.6)."""
    client.shutdown(socket.SHUT_WR)
    left = LINGER_BYTES
    with suppress(gevent.Timeout), gevent.Timeout(LINGER_SECONDS):
        while left > 0 and (received := client.recv(65536)):
            left -= len(received)
