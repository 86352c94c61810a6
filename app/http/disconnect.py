"""The connection on which a request came: whether its client is there, and who it is."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from app.errors import TooManyConnections
from app.jobs.follow import Follower
from app.jobs.service import JobService
from app.records.job import Job

#: The reason for which a stream ends if its client does not want it any more.
CLIENT_LEFT = "the client went away"


@contextmanager
def follow_for_client(
    jobs: JobService, job: Job, position: int, environ: Mapping[str, Any]
) -> Iterator[Follower]:
    """A follower of a job that stops, with CLIENT_LEFT, when this request's client goes."""
    with (
        jobs.follow(job, position) as follower,
        watch_client(environ, lambda: follower.stop(CLIENT_LEFT)),
    ):
        yield follower


@contextmanager
def watch_client(environ: Mapping[str, Any], gone: Callable[[], None]) -> Iterator[None]:
    """Call `gone` when the client of this request goes away.

    A silent stream would notice it only at its second write. Without gunicorn's connection (a
    test client) nothing is watched.
    """
    connection = environ.get("gunicorn.socket")
    with connection.watch(gone) if connection is not None else nullcontext():
        yield


def prove_client(environ: Mapping[str, Any]) -> None:
    """Note that a request had the right credentials: its connection has a place of its own.

    Raises TooManyConnections if there is none left.
    """
    connection = environ.get("gunicorn.socket")
    if connection is not None and not connection.mark_authenticated():
        raise TooManyConnections
