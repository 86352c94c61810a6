"""`/jobs`: the records of jobs that are running, queued or have ended."""

from flask import Blueprint, Response, g, jsonify, request

from app.api import asked, interrupt, processes
from app.api.described.job_stream import JOB
from app.api.described.jobs import JobRecord, Jobs, Removed
from app.api.wait import seconds_to_wait, wait_parameter
from app.errors import InvalidRequest, JobNotFound, JobStillRunning
from app.http.disconnect import follow_for_client
from app.http.query import (
    choices_in_query,
    switch_in_query,
    text_in_query,
    whole_number_in_query,
)
from app.jobs.follow import BEYOND
from app.jobs.job_list import COUNTED, Choice, JobList
from app.jobs.service import JobService
from app.openapi.describe import Parameter, describes

#: Records in one response of GET /jobs: by default, and at most.
DEFAULT_LIMIT = 50
HIGHEST_LIMIT = 500

#: Characters of a title's part, and of an id or a name.
_LONGEST_TEXT = 200
# A longer one leaves no room in the request's line.
_LONGEST_PATH = 1000

_LIST = describes(
    "List jobs, newest first.",
    {200: Jobs},
    details="Those that are queued, running or have ended. Users see their own jobs, the operator"
    " all jobs. Filters are combined.",
    errors=[InvalidRequest, JobNotFound],
    parameters=[
        Parameter(
            "status",
            "query",
            {"type": "array", "items": {"type": "string", "enum": list(COUNTED)}},
            "Only jobs with one of these statuses: repeat the parameter, or separate them by"
            " commas. `waiting`: a running job with a question that needs an answer.",
        ),
        Parameter(
            "user",
            "query",
            {"type": "string", "minLength": 1, "maxLength": _LONGEST_TEXT},
            "Only jobs of the user with this name. For the operator: other users see no jobs but"
            " their own.",
        ),
        Parameter(
            "session_id",
            "query",
            {"type": "string", "minLength": 1, "maxLength": _LONGEST_TEXT},
            "Only jobs of this session.",
        ),
        Parameter(
            "cwd",
            "query",
            {"type": "string", "minLength": 1, "maxLength": _LONGEST_PATH},
            "Only jobs with this working directory, as it was requested.",
        ),
        Parameter(
            "q",
            "query",
            {"type": "string", "minLength": 1, "maxLength": _LONGEST_TEXT},
            "Only jobs with this text in their title. Capital and small ASCII letters are equal.",
        ),
        Parameter(
            "limit",
            "query",
            {"type": "integer", "minimum": 1, "maximum": HIGHEST_LIMIT, "default": DEFAULT_LIMIT},
            "How many jobs at most.",
        ),
        Parameter(
            "before",
            "query",
            {"type": "string", "format": "uuid"},
            "Only jobs that were started before the job with this id: the next page.",
        ),
        Parameter(
            "short",
            "query",
            {"type": "boolean", "default": False},
            "Whether to list short records, which have no result.",
        ),
        Parameter(
            "totals",
            "query",
            {"type": "boolean", "default": False},
            "Whether to count all jobs that you may see by their status, too, whatever the"
            " filters are.",
        ),
    ],
)
_GET = describes(
    "Get the record of a job: its status, answer and cost.",
    {200: JobRecord},
    details="A record is kept for JOB_RETENTION after the job's end.",
    errors=[InvalidRequest, JobNotFound],
    parameters=[
        JOB,
        wait_parameter("If the job has not ended, wait for its end, up to this many seconds."),
    ],
)
_REMOVE = describes(
    "Remove a job that has ended.",
    {200: Removed},
    details="Removes its record and its output before JOB_RETENTION does. Its"
    " Idempotency-Key can be used again. The CLI's session is not removed.",
    errors=[JobNotFound, JobStillRunning],
    parameters=[JOB],
)


def blueprint(jobs: JobService, listed: JobList) -> Blueprint:
    """The views."""
    views = Blueprint("jobs", __name__)
    processes.add_routes(views, jobs)
    interrupt.add_routes(views, jobs)
    asked.add_routes(views, jobs)

    @views.get("/jobs")
    @_LIST
    def newest() -> Response:
        choice = Choice(
            choices_in_query("status", COUNTED),
            text_in_query("user", _LONGEST_TEXT),
            text_in_query("session_id", _LONGEST_TEXT),
            text_in_query("cwd", _LONGEST_PATH),
            text_in_query("q", _LONGEST_TEXT),
            request.args.get("before"),
        )
        limit = whole_number_in_query("limit", DEFAULT_LIMIT, 1, HIGHEST_LIMIT)
        is_short, has_totals = switch_in_query("short"), switch_in_query("totals")
        rows = listed.newest(g.user, choice, limit, short=is_short)
        totals = {"totals": listed.totals(g.user)} if has_totals else {}
        return jsonify(jobs=rows, count=len(rows), **totals)

    @views.get("/jobs/<job_id>")
    @_GET
    def one(job_id: str) -> Response:
        job = jobs.find(job_id, g.user)
        seconds = seconds_to_wait()
        if seconds:
            with follow_for_client(jobs, job, BEYOND, request.environ) as follower:
                follower.stop_after(seconds)
                for _ in follower:
                    continue
        return jsonify(jobs.record(job))

    @views.delete("/jobs/<job_id>")
    @_REMOVE
    def remove(job_id: str) -> Response:
        jobs.remove(job_id, g.user)
        return jsonify(status="removed", process_id=job_id)

    return views
