"""gunicorn's gevent worker, in which no connection can block another."""

import logging
import os
import resource
import signal
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import Any

import gevent
import gevent.events
from gevent import get_hub
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http import errors, wsgi
from gunicorn.workers.ggevent import GeventWorker

from app.server.connection import Connection
from app.server.connection_limit import ConnectionLimits, OpenConnections
from app.server.hangups import Hangups
from app.server.hub_errors import HubErrors
from app.server.refused_request import send_error
from app.server.request_parser import BoundedParser
from app.server.systemd_notify import RETRY_AFTER, SystemdNotifier, is_responding

log = logging.getLogger(__name__)

#: Seconds between two searches for jobs that lost their supervisor.
LOOK_AFTER = 30.0
#: Seconds that the gateway has for its first response.
FIRST_RESPONSE_TIMEOUT = 10.0
#: Seconds that streams have for their last event when the worker stops.
STOP_PATIENCE = 1.0
# Seconds between two looks whether they are over.
_STOP_PAUSE = 0.02
#: What ends a worker.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

STOPPING = "the gateway is shutting down or reloading"


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves connections side by side, and ends its streams as soon as it must stop."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        #: Reports to systemd that workers respond; None without systemd.
        self.notifier: SystemdNotifier | None = None

    def patch(self) -> None:
        """Have gevent patch the standard library, without its plugins.

        It would look for plugins in every installed package, 25 times.
        """
        gevent.events.notify_and_call_entry_points = lambda event: None  # type: ignore[attr-defined]
        super().patch()

    def init_process(self) -> None:
        """Start, in the worker's own process; returns when the worker has stopped."""
        self._stop_requested = Event()
        super().init_process()

    def init_signals(self) -> None:
        """Handle signals, also those that have waited since the fork (gunicorn.conf.py).

        The master sends its SIGTERM once, and Python forgets what comes before a new process has
        begun to run.
        """
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection."""
        connection = Connection(client, addr[0], self._hangups)
        self._connections.add(connection)
        parser = BoundedParser(self.cfg, connection, addr)
        request = None
        try:
            while self.alive:
                request = None
                with self.timeout_ctx():
                    request = next(parser)
                if request is None:
                    # The keep-alive timeout has passed.
                    return
                self._connections.mark_busy(connection)
                self.handle_request(listener.getsockname(), request, connection, addr)
                self._connections.mark_idle(connection)
        except StopIteration:
            # The client or the response asked to close the connection.
            if request is not None and _has_more(parser, request, connection):
                _linger(connection)
        except errors.NoMoreData:
            log.debug("a client disconnected within a request's head")
        except OSError as error:
            log.debug("a connection ended: %s", error)
        except Exception as error:
            self.handle_error(request, connection, addr, error)
        finally:
            self._connections.remove(connection)
            connection.close()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request. Raises StopIteration if it is the connection's last one."""
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
        """SIGTERM: accept no more connections, end the open ones."""
        super().handle_exit(sig, frame)
        self._stop_requested.set()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT (from a terminal) and SIGQUIT: the same."""
        self.handle_exit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer an error outside of the application."""
        if send_error(client, exc):
            _linger(client)

    def run(self) -> None:
        """Serve until the worker must stop. Like gunicorn's, but it notices the stop at once."""
        get_hub().print_exception = HubErrors().log_error  # type: ignore[assignment,method-assign]
        self._hangups = Hangups()
        self._connections = OpenConnections(self._connection_limits(), self._is_proxy)
        gevent.spawn(self._look_after_jobs)
        gevent.spawn(self.wsgi.extensions["background"].keep_launcher)
        # It finds out what the CLI can do, before the first job needs that.
        gevent.spawn(self.wsgi.extensions["background"].keep_spares)
        keeping = gevent.spawn(self.wsgi.extensions["background"].keep_index)
        servers = []
        for listener in self.sockets:
            listener.setblocking(True)
            pool = Pool(self.worker_connections)
            server = StreamServer(listener, handle=partial(self.handle, listener), spawn=pool)
            if self.cfg.workers > 1:
                # Leave some connections to the other workers.
                server.max_accept = 1
            server.start()
            servers.append(server)
        if self.notifier is not None:
            gevent.spawn(self._report_alive, self.notifier)
        while self.alive:
            self.notify()
            self._stop_requested.wait(1.0)
        for server in servers:
            # Not closed yet: a connection that was just accepted still needs its name.
            server.stop_accepting()
        self._end_connections()
        self.wsgi.extensions["claude"].stop()
        for server in servers:
            server.stop(timeout=1)
        # A write to the index that is cut off would cost a new index.
        keeping.join(timeout=STOP_PATIENCE)

    def _connection_limits(self) -> ConnectionLimits:
        """The limits that the descriptors allow which are free now."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names alone
        return ConnectionLimits.for_descriptors(limit - used, self.worker_connections)

    def _is_proxy(self, address: str) -> bool:
        networks = self.cfg.forwarded_allow_networks()
        return any(ip_address(address) in network for network in networks)

    def _report_alive(self, notifier: SystemdNotifier) -> None:
        """Check that the gateway responds, from this worker's hub and over the network."""
        is_reported = False
        while self.alive and not (is_reported and notifier.interval is None):
            timeout = notifier.interval or FIRST_RESPONSE_TIMEOUT
            if is_responding(self.sockets[0].getsockname(), timeout):
                notifier.report_alive()
                if not is_reported:
                    # SIGCHLD only wakes the master's loop, so that it notifies systemd at once.
                    os.kill(self.ppid, signal.SIGCHLD)
                is_reported = True
            gevent.sleep(notifier.interval if is_reported and notifier.interval else RETRY_AFTER)

    def _look_after_jobs(self) -> None:
        background = self.wsgi.extensions["background"]
        while self.alive:
            try:
                background.look_after()
            except Exception:
                # A failure must not end the loop.
                log.exception("cannot look after the jobs")
            gevent.sleep(LOOK_AFTER)

    def _end_connections(self) -> None:
        self.wsgi.extensions["background"].stop()
        self.wsgi.extensions["jobs"].stop(STOPPING)
        self._connections.close_idle()
        # Counted in rounds: while this process is not scheduled, its streams are not, either.
        for _ in range(round(STOP_PATIENCE / _STOP_PAUSE)):
            if not self._connections:
                break
            self.notify()
            gevent.sleep(_STOP_PAUSE)
        # What is left are clients that do not read.
        self._connections.close_all()


def _has_more(parser: BoundedParser, request: Any, connection: Connection) -> bool:
    """Whether the client sends more than will be read."""
    return not request.is_whole or parser.unreader.buf.tell() > 0 or connection.has_more()


def _linger(connection: Connection) -> None:
    # The client may have disconnected.
    with suppress(OSError):
        connection.linger()
