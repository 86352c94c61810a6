"""The parts that the responses of all chat APIs have in common."""

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from flask import Response

from app.http.stream_response import stream_response

#: Characters of X-Claude-Ignored: a header has no room for thousands of names.
MOST_IGNORED = 1000

Event = TypeVar("Event")


def stream_when_begun(
    stream: Callable[[Iterator[list[Event]]], Iterator[bytes]],
    events: Generator[list[Event]],
    job_id: str,
) -> Response:
    """A response that streams events once there are some: until then a failure has its status."""
    first = next(events, [])
    response = stream_response(stream(chain([first], events)), "text/event-stream", job_id)
    response.call_on_close(events.close)
    return response


def name_ignored(response: Response, parameters: Sequence[str]) -> None:
    """Name the request's parameters that have no effect."""
    if parameters:
        names = ", ".join(name for name in parameters if name.isascii() and name.isidentifier())
        response.headers["X-Claude-Ignored"] = names[:MOST_IGNORED]


def add_job_header(job_id: str, response: Response) -> Response:
    """Name the job of the answer."""
    response.headers["X-Process-ID"] = job_id
    return response
