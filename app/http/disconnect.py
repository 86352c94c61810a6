"""A client's disconnect: it ends the follower of the job, and the job unless that is detached."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from app.jobs.follow import Follower
from app.jobs.service import JobService
from app.records.job import Job

Given = ParamSpec("Given")
Item = TypeVar("Item")

#: Why a follower stopped: its client disconnected.
DISCONNECTED = "the client disconnected"


@contextmanager
def follow_for_client(
    jobs: JobService,
    job: Job,
    position: int,
    environ: Mapping[str, Any],
    *,
    cancel_on_disconnect: bool = False,
    on_disconnect: Callable[[Job], None] | None = None,
) -> Iterator[Follower]:
    """A follower of a job, for the client of the request with this WSGI `environ`.

    If the client disconnects before the job has ended, the follower stops (`stopped_by` is
    DISCONNECTED), and with `cancel_on_disconnect` the job is cancelled, or `on_disconnect` is
    called with it. The shutdown of this process also stops the follower, and cancels nothing.

    In a generator, each `yield` of a response's body belongs inside of this context: gunicorn
    closes the generator if it cannot send. It has to begin at once (`begins_at_once`).
    """
    with jobs.follow(job, position) as follower:
        try:
            with watch_connection(environ, lambda: follower.stop(DISCONNECTED)):
                yield follower
        except GeneratorExit:
            # A shutdown closes the connection, too.
            follower.stop(jobs.stopped_by or DISCONNECTED)
            raise
        finally:
            if cancel_on_disconnect and follower.stopped_by == DISCONNECTED:
                (on_disconnect or jobs.abandon)(job)


def begins_at_once(
    function: Callable[Given, Generator[Item]],
) -> Callable[Given, Generator[Item]]:
    """Have the generators of a function begin before it returns them, without their first item.

    To close a generator that has not begun does nothing: a client that is gone before the first
    byte would leave its job to run on.
    """

    @wraps(function)
    def begin(*args: Given.args, **named: Given.kwargs) -> Generator[Item]:
        generator = function(*args, **named)
        next(generator)
        return generator

    return begin


@contextmanager
def watch_connection(
    environ: Mapping[str, Any], on_disconnect: Callable[[], None], *, is_kept: bool = True
) -> Iterator[None]:
    """Call `on_disconnect` when the client of this request disconnects.

    Writing alone would notice it only at the second write. `is_kept`: what is streamed is also on
    disk; otherwise a client that takes nothing for long is gone. Without gunicorn's connection (a
    test client) nothing is watched.
    """
    connection = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    with connection.watch(on_disconnect, is_kept=is_kept):
        yield
