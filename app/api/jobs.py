"""`/processes` and `/jobs`: what runs, what ran, and how it went."""

import re

from flask import Blueprint, Response, g, jsonify, request

from app.api.described import schemas
from app.api.described.stream_answers import JOB
from app.errors import InvalidRequest, JobNotFound, JobStillRunning
from app.http.disconnect import follow_for_client
from app.jobs.follow import BEYOND
from app.jobs.service import JobService
from app.openapi.describe import Answer, Parameter, describes

#: Rows of one page of GET /jobs, if not asked otherwise, and at most.
PAGE = 50
LARGEST_PAGE = 500
#: The longest wait of GET /jobs/<id>, in seconds.
LONGEST_WAIT = 300.0

# As JSON writes them: float() and int() take more, like 1_0.
_WHOLE = re.compile("[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")

_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled", "timed_out", "lost")


def blueprint(jobs: JobService) -> Blueprint:
    """The views."""
    views = Blueprint("jobs", __name__)

    @views.get("/processes")
    @describes(
        "Your jobs that run now, or wait for their turn; to the operator all.",
        {200: schemas.Processes},
    )
    def processes() -> Response:
        rows = jobs.running(g.user)
        return jsonify(processes=rows, count=len(rows))

    @views.get("/jobs")
    @describes(
        "Your jobs' records, the newest first; to the operator all.",
        {200: schemas.Jobs},
        errors=[InvalidRequest, JobNotFound],
        parameters=[
            Parameter(
                "status",
                "query",
                {"type": "string", "enum": list(_STATUSES)},
                "Only jobs that are so.",
            ),
            Parameter(
                "limit",
                "query",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE},
                "So many at most.",
            ),
            Parameter(
                "before",
                "query",
                {"type": "string", "format": "uuid"},
                "Only jobs that were started earlier than this one.",
            ),
        ],
    )
    def newest() -> Response:
        status = request.args.get("status")
        if status is not None and status not in _STATUSES:
            raise InvalidRequest.of(
                "unknown_status", ("query", "status"), f"This is none of {', '.join(_STATUSES)}"
            )
        limit = int(_number("limit", PAGE, 1, LARGEST_PAGE, _WHOLE))
        before = request.args.get("before")
        rows = jobs.newest(g.user, status, limit, before)
        return jsonify(jobs=rows, count=len(rows))

    @views.get("/jobs/<job_id>")
    @describes(
        "One job's record.",
        {200: schemas.JobRecord},
        details="Records are there after a restart, too, until `JOB_RETENTION` after their end.",
        errors=[InvalidRequest, JobNotFound],
        parameters=[
            JOB,
            Parameter(
                "wait",
                "query",
                {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT, "default": 0},
                "Wait so many seconds for the job's end.",
            ),
        ],
    )
    def one(job_id: str) -> Response:
        job = jobs.find(job_id, g.user)
        seconds = _number("wait", 0.0, 0.0, LONGEST_WAIT)
        if seconds:
            with follow_for_client(jobs, job, BEYOND, request.environ) as follower:
                follower.stop_after(seconds)
                for _ in follower:
                    continue
        return jsonify(jobs.record(job))

    @views.delete("/jobs/<job_id>")
    @describes(
        "Remove a job that has ended.",
        {200: schemas.Removed},
        details="Its record and its output, as `JOB_RETENTION` after its end would. An"
        " Idempotency-Key that it had is free again. The CLI's session is left as it is.",
        errors=[JobNotFound, JobStillRunning],
        parameters=[JOB],
    )
    def remove(job_id: str) -> Response:
        jobs.remove(job_id, g.user)
        return jsonify(status="removed", process_id=job_id)

    @views.post("/jobs/<job_id>/interrupt")
    @describes(
        "End the turn, and with it the job, gently.",
        {
            202: Answer(
                "The CLI is sent one SIGINT. The turn stops, the CLI writes its `result`, and the"
                " job ends as `cancelled`.",
                {"application/json": schemas.Interrupted},
            )
        },
        errors=[JobNotFound],
        parameters=[JOB],
    )
    def interrupt(job_id: str) -> tuple[Response, int]:
        jobs.interrupt(job_id, g.user)
        return jsonify(status="interrupted", process_id=job_id), 202

    return views


def _number(
    name: str, default: float, least: float, most: float, shape: re.Pattern[str] = _NUMBER
) -> float:
    """A number of this shape in the query. Raises InvalidRequest."""
    text = request.args.get(name)
    if text is None:
        return default
    if not shape.fullmatch(text) or not least <= float(text) <= most:
        what = "whole number" if shape is _WHOLE else "number"
        raise InvalidRequest.of(
            "out_of_range", ("query", name), f"This is no {what} from {least:g} to {most:g}"
        )
    return float(text)
