"""`/jobs`: the records of jobs that are running, queued or have ended."""

from flask import Blueprint, Response, g, jsonify, request

from app.api import interrupt, processes
from app.api.described.job_stream import JOB
from app.api.described.jobs import JobRecord, Jobs, Removed
from app.api.wait import seconds_to_wait, wait_parameter
from app.errors import InvalidRequest, JobNotFound, JobStillRunning
from app.http.disconnect import follow_for_client
from app.http.query import whole_number_in_query
from app.jobs.follow import BEYOND
from app.jobs.service import JobService
from app.openapi.describe import Parameter, describes

#: Records in one response of GET /jobs: by default, and at most.
DEFAULT_LIMIT = 50
HIGHEST_LIMIT = 500

_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled", "timed_out", "lost")

_LIST = describes(
    "List jobs, newest first.",
    {200: Jobs},
    details="Those that are queued, running or have ended. Users see their own jobs, the operator"
    " all jobs.",
    errors=[InvalidRequest, JobNotFound],
    parameters=[
        Parameter(
            "status",
            "query",
            {"type": "string", "enum": list(_STATUSES)},
            "Only jobs with this status.",
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


def blueprint(jobs: JobService) -> Blueprint:
    """The views."""
    views = Blueprint("jobs", __name__)
    processes.add_routes(views, jobs)
    interrupt.add_routes(views, jobs)

    @views.get("/jobs")
    @_LIST
    def newest() -> Response:
        status = request.args.get("status")
        if status is not None and status not in _STATUSES:
            message = f"Must be one of {', '.join(_STATUSES)}"
            raise InvalidRequest.of("unknown_status", ("query", "status"), message)
        limit = whole_number_in_query("limit", DEFAULT_LIMIT, 1, HIGHEST_LIMIT)
        before = request.args.get("before")
        rows = jobs.newest(g.user, status, limit, before)
        return jsonify(jobs=rows, count=len(rows))

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
