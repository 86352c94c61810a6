"""`/processes` and `/jobs`: what runs, what ran, and how it went."""

import math

from flask import Blueprint, Response, g, jsonify, request

from app.errors import InvalidRequest
from app.jobs.follow import BEYOND
from app.jobs.service import JobService
from app.web.client import CLIENT_LEFT, watch_client

#: Rows of one page of GET /jobs, if not asked otherwise, and at most.
PAGE = 50
LARGEST_PAGE = 500
#: The longest wait of GET /jobs/<id>, in seconds.
LONGEST_WAIT = 300.0

_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled", "timed_out", "lost")


def blueprint(jobs: JobService) -> Blueprint:
    """The views."""
    views = Blueprint("jobs", __name__)

    @views.get("/processes")
    def processes() -> Response:
        rows = jobs.running()
        return jsonify(processes=rows, count=len(rows))

    @views.get("/jobs")
    def newest() -> Response:
        status = request.args.get("status")
        if status is not None and status not in _STATUSES:
            raise InvalidRequest.of(
                "unknown_status", ("query", "status"), f"This is none of {', '.join(_STATUSES)}"
            )
        limit = int(_number("limit", PAGE, 1, LARGEST_PAGE))
        before = request.args.get("before")
        if before is not None:
            jobs.find(before)
        rows = jobs.newest(status, limit, before)
        return jsonify(jobs=rows, count=len(rows))

    @views.get("/jobs/<job_id>")
    def one(job_id: str) -> Response:
        directory = jobs.find(job_id)
        seconds = _number("wait", 0.0, 0.0, LONGEST_WAIT)
        if seconds:
            with (
                jobs.follow(directory, BEYOND) as follower,
                watch_client(request.environ, lambda: follower.stop(CLIENT_LEFT)),
            ):
                follower.stop_after(seconds)
                for _ in follower:
                    continue
        return jsonify(jobs.record(directory))

    @views.post("/jobs/<job_id>/interrupt")
    def interrupt(job_id: str) -> tuple[Response, int]:
        jobs.interrupt(job_id, g.user)
        return jsonify(status="interrupted", process_id=job_id), 202

    return views


def _number(name: str, default: float, least: float, most: float) -> float:
    """A number in the query. Raises InvalidRequest."""
    text = request.args.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise InvalidRequest.of(
            "out_of_range", ("query", name), f"This is no number from {least:g} to {most:g}"
        )
    return number
