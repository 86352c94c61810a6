"""Notice at once that a client has gone; knows gevent and gunicorn."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gevent import get_hub

from app.jobs.directory import JobDirectory
from app.jobs.follow import Follower
from app.jobs.service import JobService

#: The reason for which a stream ends if its client does not want it any more.
CLIENT_LEFT = "the client went away"

_READABLE = 1


@contextmanager
def follow_for_client(
    jobs: JobService, directory: JobDirectory, position: int, environ: Mapping[str, Any]
) -> Iterator[Follower]:
    """A follower of a job that stops, with CLIENT_LEFT, when this request's client goes."""
    with (
        jobs.follow(directory, position) as follower,
        watch_client(environ, lambda: follower.stop(CLIENT_LEFT)),
    ):
        yield follower


@contextmanager
def watch_client(environ: Mapping[str, Any], gone: Callable[[], None]) -> Iterator[None]:
    """Call `gone` when the client of this request closes its connection.

    A silent stream would notice it only at its second write. Without gunicorn's socket (a
    test client) nothing is watched.
    """
    connection = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    watcher = get_hub().loop.io(connection.fileno(), _READABLE)

    def look() -> None:
        try:
            # The bare socket's: gevent's own would wait, which a callback must not.
            closed = connection._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return
        except OSError:
            closed = True
        # A client that sends the next request already (pipelining) is there, and would wake
        # us without end; from now on only a failed write tells that it went.
        watcher.stop()
        if closed:
            gone()

    watcher.start(look)
    try:
        yield
    finally:
        watcher.stop()
        watcher.close()
