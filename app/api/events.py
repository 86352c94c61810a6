"""`GET /events`: the changes of jobs, questions and runs, as they happen."""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, g, request

from app import sse
from app.api.described.events import EVENTS
from app.auth.users import User
from app.errors import ShuttingDown
from app.http.disconnect import DISCONNECTED, watch_connection
from app.http.stream_response import unbuffered_response
from app.jobs.event_feed import EventFeed
from app.openapi.describe import Parameter, ResponseDescription, describes

# Milliseconds after which a browser's EventSource reconnects.
_RETRY = b"retry: 1000\n"
# No event id is longer.
_LONGEST_ID = 100

_DESCRIPTION = describes(
    "Follow the changes of jobs, questions and runs.",
    {
        200: ResponseDescription(
            "Events, until the client disconnects or the gateway shuts down or reloads.",
            {"text/event-stream": EVENTS},
            ("Cache-Control", "X-Accel-Buffering"),
        )
    },
    details="Users see what they may see in the lists. Each event has the state at the time when"
    " it is sent, so several quick changes may be one event.",
    errors=[ShuttingDown],
    parameters=[
        Parameter(
            "Last-Event-ID",
            "header",
            {"type": "string"},
            "The id of the last event that was received: what has changed since then comes first.",
        ),
        Parameter(
            "last_event_id", "query", {"type": "string"}, "The same, for clients without headers."
        ),
    ],
)


def blueprint(feed: EventFeed, heartbeat: float) -> Blueprint:
    """The view; `heartbeat` is the longest silence in seconds."""
    views = Blueprint("events", __name__)

    @views.get("/events")
    @_DESCRIPTION
    def events() -> Response:
        if feed.stopped_by:
            raise ShuttingDown("/events")
        after = request.headers.get("Last-Event-ID") or request.args.get("last_event_id")
        known = None if not after else after[:_LONGEST_ID]
        chunks = _stream(feed, g.user, known, heartbeat, request.environ)
        return unbuffered_response(chunks, "text/event-stream")

    return views


def _stream(
    feed: EventFeed, user: User, after: str | None, heartbeat: float, environ: Mapping[str, Any]
) -> Iterator[bytes]:
    with (
        feed.follow(user, after, heartbeat) as reader,
        watch_connection(environ, lambda: reader.stop(DISCONNECTED)),
    ):
        head = _RETRY
        for frames in reader:
            yield head + (frames or sse.comment("ping"))
            head = b""
