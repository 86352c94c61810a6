"""gunicorn's gevent worker, made to stop in order and to tell every error as JSON."""

import json
import logging
import os
import signal
import socket
import time
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

from app.errors import (
    BadRequest,
    ExpectationFailed,
    GatewayError,
    HeadersTooLarge,
    InternalError,
    TransferCodingNotSupported,
    UriTooLong,
)
from app.notify import ASK_AGAIN, Notifier, answers

log = logging.getLogger(__name__)

#: Seconds between two looks for jobs that nobody is left to end.
LOOK_AFTER = 30.0
#: Seconds that the gateway's first answer may take.
ASK_PATIENCE = 10.0
#: Seconds that streams have for their last words when the worker stops.
STOP_PATIENCE = 1.0
#: Seconds and bytes that are spent on what a refused client still sends.
LINGER_SECONDS = 1.0
LINGER_BYTES = 1 << 20

STOPPING = "the gateway stops or reloads"

# What gunicorn refuses before a request exists; the first kind that fits counts.
_REFUSED: dict[type[Exception], GatewayError] = {
    errors.LimitRequestLine: UriTooLong(),
    errors.LimitRequestHeaders: HeadersTooLarge(),
    errors.ExpectationFailed: ExpectationFailed(),
    errors.UnsupportedTransferCoding: TransferCodingNotSupported(),
    errors.ParseException: BadRequest(),
}


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Ends its streams as soon as it is told to stop, and idle connections with them."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._idle: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        #: Who tells systemd that workers answer, if there is a systemd.
        self.notifier: Notifier | None = None

    def init_process(self) -> None:
        """Begin, in the worker's own process; returns when it is over."""
        self._told_to_stop = Event()
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection."""
        self._idle.add(client)
        self._open.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.discard(client)
            self._open.discard(client)

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
        self._told_to_stop.set()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT, from a terminal, and SIGQUIT: the same."""
        self.handle_exit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what failed outside of the application.

        gunicorn would answer a page of HTML and log the message, which may quote a header.
        """
        kinds = (told for kind, told in _REFUSED.items() if isinstance(exc, kind))
        told = next(kinds, InternalError())
        request_id = uuid4().hex
        log.warning(
            "a request is refused: %s",
            type(exc).__name__,
            extra={"request_id": request_id, "status": told.status},
        )
        body = json.dumps({"detail": told.detail, "code": told.code, "request_id": request_id})
        head = (
            f"HTTP/1.1 {told.status} {told.detail}",
            "Connection: close",
            f"X-Request-ID: {request_id}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        try:
            util.write_nonblock(client, "\r\n".join((*head, "", body)).encode())
            _linger(client)
        except OSError:
            log.debug("request %s: its client has gone", request_id)

    def run(self) -> None:
        """Serve until told to stop. As in gunicorn, but the stop is noticed at once."""
        gevent.spawn(self._look_after_jobs)
        gevent.spawn(self.wsgi.extensions["jobs"].keep_launcher)
        servers = []
        for listener in self.sockets:
            listener.setblocking(True)
            pool = Pool(self.worker_connections)
            server = StreamServer(listener, handle=partial(self.handle, listener), spawn=pool)
            if self.cfg.workers > 1:
                # Leave some to the others.
                server.max_accept = 1
            server.start()
            servers.append(server)
        if self.notifier is not None:
            gevent.spawn(self._vouch, self.notifier)
        while self.alive:
            self.notify()
            self._told_to_stop.wait(1.0)
        for server in servers:
            # Not closed yet: who was accepted just now is asked for the listener's name.
            server.stop_accepting()
        self._end_connections()
        for server in servers:
            server.stop(timeout=1)

    def _vouch(self, notifier: Notifier) -> None:
        """Prove that the gateway answers: from this worker's hub, over the network."""
        proved = False
        while self.alive and not (proved and notifier.interval is None):
            if answers(self.sockets[0].getsockname(), notifier.interval or ASK_PATIENCE):
                notifier.vouch()
                if not proved:
                    # Wakes the master's loop, and does nothing else: it can say so at once.
                    os.kill(self.ppid, signal.SIGCHLD)
                proved = True
            gevent.sleep(notifier.interval if proved and notifier.interval else ASK_AGAIN)

    def _look_after_jobs(self) -> None:
        jobs = self.wsgi.extensions["jobs"]
        while self.alive:
            try:
                jobs.look_after()
            except Exception:
                # What cannot be looked after now must not keep us from it for ever.
                log.exception("cannot look after the jobs")
            gevent.sleep(LOOK_AFTER)

    def _end_connections(self) -> None:
        self.wsgi.extensions["jobs"].stop(STOPPING)
        _shut_down(self._idle)
        deadline = time.monotonic() + STOP_PATIENCE
        while self._open and time.monotonic() < deadline:
            self.notify()
            gevent.sleep(0.02)
        # Whose client reads nothing cannot be told anything.
        _shut_down(self._open)


def _shut_down(clients: set[socket.socket]) -> None:
    for client in list(clients):
        # One that has closed by itself is no longer connected.
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def _linger(client: socket.socket) -> None:
    """Read what is still on its way: closing with it unread would reset the connection, and
    the client might never see the answer (RFC 9112, section 9.6)."""
    client.shutdown(socket.SHUT_WR)
    left = LINGER_BYTES
    with suppress(gevent.Timeout), gevent.Timeout(LINGER_SECONDS):
        while left > 0 and (received := client.recv(65536)):
            left -= len(received)
