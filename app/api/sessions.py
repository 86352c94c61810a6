"""`/sessions`: the conversations with the CLI, and the transcript of each."""

import base64
import json
import re
from typing import Any, cast

from flask import Blueprint, Response, g, jsonify, request

from app.api.described.sessions import SessionDetails, SessionRows
from app.cli.transcripts import session_id_in
from app.errors import DiskTooSlow, InvalidRequest, SessionNotFound
from app.http.query import whole_number_in_query
from app.jobs.session_list import Origin, SessionList, Wanted
from app.jobs.session_totals import SessionPlace
from app.openapi.describe import Parameter, describes

#: Sessions, and entries of a transcript, in one response: by default, and at most.
DEFAULT_LIMIT = 50
HIGHEST_LIMIT = 500

_POSITION = re.compile("[0-9]{1,18}")
_NO_PLACE = "Must be `next` of an earlier response"


def _limit(what: str) -> Parameter:
    return Parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": HIGHEST_LIMIT, "default": DEFAULT_LIMIT},
        f"How many {what} at most.",
    )


def _before(what: str) -> Parameter:
    return Parameter(
        "before", "query", {"type": "string"}, f"`next` of an earlier response: {what}."
    )


_LIST = describes(
    "List sessions, the one used last first.",
    {200: SessionRows},
    details="The sessions of kept jobs that can be continued; the operator also sees those that"
    " were begun in a terminal. Users see their own sessions, the operator all.",
    errors=[DiskTooSlow, InvalidRequest],
    parameters=[
        Parameter("cwd", "query", {"type": "string"}, "Only sessions in this working directory."),
        Parameter("q", "query", {"type": "string"}, "Only sessions with this text in the title."),
        Parameter(
            "origin",
            "query",
            {"type": "string", "enum": ["gateway", "terminal"]},
            "Only sessions that were begun by a job, or in a terminal.",
        ),
        _limit("sessions"),
        _before("the next page"),
    ],
)
_GET = describes(
    "Get a session with its transcript and its jobs.",
    {200: SessionDetails},
    details="The newest page of the transcript comes first.",
    errors=[DiskTooSlow, InvalidRequest, SessionNotFound],
    parameters=[
        Parameter("session_id", "path", {"type": "string", "format": "uuid"}, "The session's id."),
        _limit("entries"),
        _before("older entries"),
        Parameter(
            "notes",
            "query",
            {"type": "boolean", "default": False},
            "Whether to include the lines that are no messages, such as what the CLI adds to a"
            " prompt.",
        ),
    ],
)


def blueprint(sessions: SessionList) -> Blueprint:
    """The views."""
    views = Blueprint("sessions", __name__)

    @views.get("/sessions")
    @_LIST
    def newest() -> Response:
        wanted = Wanted(request.args.get("cwd") or None, request.args.get("q") or None, _origin())
        limit = whole_number_in_query("limit", DEFAULT_LIMIT, 1, HIGHEST_LIMIT)
        before = request.args.get("before")
        rows, place = sessions.rows(g.user, wanted, limit, _place_in(before) if before else None)
        return jsonify(sessions=rows, count=len(rows), next=place and _text_of(place))

    @views.get("/sessions/<session_id>")
    @_GET
    def one(session_id: str) -> Response:
        limit = whole_number_in_query("limit", DEFAULT_LIMIT, 1, HIGHEST_LIMIT)
        before = request.args.get("before") or None
        if before is not None and not _POSITION.fullmatch(before):
            raise _invalid("value_error", "before", _NO_PLACE)
        notes = request.args.get("notes", "false")
        if notes not in ("true", "false"):
            raise _invalid("bool_parsing", "notes", "Must be true or false")
        session = session_id_in(session_id)
        if session is None:
            raise SessionNotFound(session_id)
        row, file = sessions.one(g.user, session)
        place = None if before is None else int(before)
        entries, older = sessions.page(file, place, limit, notes == "true")
        following = None if older is None else str(older)
        jobs = sessions.jobs(g.user, session)
        return jsonify({**row, "entries": entries, "next": following, "jobs": jobs})

    return views


def _origin() -> Origin | None:
    """The parameter `origin`. Raises InvalidRequest."""
    text = request.args.get("origin") or None
    if text not in (None, "gateway", "terminal"):
        raise _invalid("enum", "origin", "Must be gateway or terminal")
    return cast("Origin | None", text)


def _text_of(place: SessionPlace) -> str:
    return base64.urlsafe_b64encode(json.dumps([place.last.hex(), place.session]).encode()).decode()


def _place_in(text: str) -> SessionPlace:
    """The place that a client has from `_text_of`. Raises InvalidRequest."""
    try:
        found: Any = json.loads(base64.urlsafe_b64decode(text.encode("ascii")))
        last, session = found
        # Half of a surrogate pair is no text for the index.
        session.encode()
        return SessionPlace(float.fromhex(last), session)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise _invalid("value_error", "before", _NO_PLACE) from None


def _invalid(kind: str, name: str, message: str) -> InvalidRequest:
    return InvalidRequest.of(kind, ("query", name), message)
