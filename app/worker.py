"""gunicorn's gevent worker, made to stop in order and to tell every error as JSON."""

import json
import logging
import os
import resource
import signal
import time
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import gevent
from gevent import get_hub
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http import errors, wsgi
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
from app.server.connection import Connection
from app.server.connection_limit import Crowd, Room
from app.server.hangups import Hangups
from app.server.hub_errors import HubErrors
from app.server.notify import ASK_AGAIN, Notifier, answers
from app.server.request_head import Parser

log = logging.getLogger(__name__)

#: Seconds between two looks for jobs that nobody is left to end.
LOOK_AFTER = 30.0
#: Seconds that the gateway's first answer may take.
ASK_PATIENCE = 10.0
#: Seconds that streams have for their last words when the worker stops.
STOP_PATIENCE = 1.0

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
    """Lets no connection hold up another, and ends its streams as soon as it must stop."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        #: Who tells systemd that workers answer, if there is a systemd.
        self.notifier: Notifier | None = None

    def init_process(self) -> None:
        """Begin, in the worker's own process; returns when it is over."""
        self._told_to_stop = Event()
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection."""
        connection = Connection(client, addr[0], self._hangups)
        self._crowd.enter(connection)
        parser = Parser(self.cfg, connection, addr)
        request = None
        try:
            while self.alive:
                request = None
                with self.timeout_ctx():
                    request = next(parser)
                if request is None:
                    # Nothing came for too long.
                    return
                self._crowd.begin(connection)
                self.handle_request(listener.getsockname(), request, connection, addr)
                self._crowd.rest(connection)
        except StopIteration:
            # The client or the answer asked to close the connection.
            if request is not None and _has_more(parser, request, connection):
                _linger(connection)
        except errors.NoMoreData:
            log.debug("a client went away within a request's head")
        except OSError as error:
            log.debug("a connection ended: %s", error)
        except Exception as error:
            self.handle_error(request, connection, addr, error)
        finally:
            self._crowd.leave(connection)
            connection.close()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request. Raises StopIteration if it is the connection's last."""
        response, environ = wsgi.create(req, sock, addr, listener_name, self.cfg)
        sock.begin(response)
        if not self.alive:
            response.force_close()
        pieces = self.wsgi(environ, response.start_response)
        try:
            for piece in pieces:
                response.write(piece)
            response.close()
            sock.finish()
        finally:
            pieces.close()
        if response.should_close() or not self.alive:
            raise StopIteration

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
        if client.response is not None and client.response.headers_sent:
            # It would look like a part of the answer that has begun.
            return
        body = json.dumps({"detail": told.detail, "code": told.code, "request_id": request_id})
        head = (
            f"HTTP/1.1 {told.status} {told.detail}",
            "Connection: close",
            f"X-Request-ID: {request_id}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        try:
            client.sendall("\r\n".join((*head, "", body)).encode())
        except OSError:
            log.debug("request %s: its client has gone", request_id)
        else:
            _linger(client)

    def run(self) -> None:
        """Serve until told to stop. As in gunicorn, but the stop is noticed at once."""
        get_hub().print_exception = HubErrors().tell  # type: ignore[assignment,method-assign]
        self._hangups = Hangups()
        self._crowd = Crowd(self._room(), self._is_proxy)
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

    def _room(self) -> Room:
        """How many connections there may be, with what is open already."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names alone
        return Room.within(limit - used, self.worker_connections)

    def _is_proxy(self, address: str) -> bool:
        networks = self.cfg.forwarded_allow_networks()
        return any(ip_address(address) in network for network in networks)

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
        self._crowd.end_idle()
        deadline = time.monotonic() + STOP_PATIENCE
        while self._crowd and time.monotonic() < deadline:
            self.notify()
            gevent.sleep(0.02)
        # A client that reads nothing cannot be sent any last words.
        self._crowd.end_all()


def _has_more(parser: Parser, request: Any, connection: Connection) -> bool:
    """Whether its client sends more than will be read."""
    return not request.is_whole or parser.unreader.buf.tell() > 0 or connection.has_more()


def _linger(connection: Connection) -> None:
    # It may have gone by now.
    with suppress(OSError):
        connection.linger()
