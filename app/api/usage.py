"""`GET /usage`: what jobs have used, by day, model or user."""

import re
import time
from datetime import date, timedelta
from typing import cast, get_args

from flask import Blueprint, Response, g, jsonify, request

from app.api.described.usage import Usage
from app.errors import DiskTooSlow, InvalidRequest
from app.jobs.usage import By, UsageReports, Wanted
from app.openapi.describe import Parameter, describes

#: Days of a report: by default, and at most.
DEFAULT_DAYS = 30
MOST_DAYS = 400

_BY = get_args(By)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE = {"type": "string", "format": "date"}

_GET = describes(
    "Get what jobs have used, by day, model or user.",
    {200: Usage},
    details="Jobs that have been removed count, too, for USAGE_RETENTION. A job counts on the day"
    " of its end, in UTC. Users see what they have used themselves, the operator what all have.",
    errors=[InvalidRequest, DiskTooSlow],
    parameters=[
        Parameter(
            "from", "query", _DATE, "The first day. By default, the last 30 days are reported."
        ),
        Parameter("to", "query", _DATE, "The last day, at most 400 days later; by default, today."),
        Parameter(
            "by",
            "query",
            {"type": "string", "enum": list(_BY), "default": "day"},
            "What the rows are about.",
        ),
        Parameter(
            "user",
            "query",
            {"type": "string"},
            "Only what this user has used: AUTH_USER, or the name of a key.",
        ),
    ],
)


def blueprint(reports: UsageReports) -> Blueprint:
    """The view."""
    views = Blueprint("usage", __name__)

    @views.get("/usage")
    @_GET
    def usage() -> Response:
        return jsonify(reports.report(g.user, _wanted()))

    return views


def _wanted() -> Wanted:
    """Raises InvalidRequest."""
    by = request.args.get("by", "day")
    if by not in _BY:
        message = f"Must be one of {', '.join(_BY)}, and is {by[:50]!r}"
        raise InvalidRequest.of("unknown_choice", ("query", "by"), message)
    last = _day("to") or date(*time.gmtime()[:3])
    first = _day("from") or last - timedelta(days=min(DEFAULT_DAYS - 1, last.toordinal() - 1))
    if first > last:
        raise InvalidRequest.of("out_of_range", ("query", "from"), f"{first} is after {last}")
    days = (last - first).days + 1
    if days > MOST_DAYS:
        message = f"From {first} to {last} are {days} days; ask for at most {MOST_DAYS}"
        raise InvalidRequest.of("out_of_range", ("query", "from"), message)
    return Wanted(first.isoformat(), last.isoformat(), cast(By, by), request.args.get("user"))


def _day(name: str) -> date | None:
    text = request.args.get(name)
    if text is None:
        return None
    try:
        # fromisoformat() also takes 20261126 and 2026-W48-4.
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        # Such as the 30th of February.
        pass
    message = f"Must be a date such as 2026-11-26, and is {text[:50]!r}"
    raise InvalidRequest.of("invalid_date", ("query", name), message)
