"""`/runs`: the processes of the CLI, which serve jobs or are kept for their sessions."""

from flask import Blueprint, Response, g, jsonify

from app.api.described.runs import EndedRun
from app.api.described.runs import Runs as RunList
from app.errors import JobNotEnded, RunNotEnded, RunNotFound
from app.jobs.runs import Runs
from app.openapi.describe import Parameter, describes

_LIST = describes(
    "List the runs: the CLI's processes.",
    {200: RunList},
    details="A run serves one job at a time. With `keep_alive` it stays after a job, for the next"
    " job of its session. Users see their own runs, the operator all runs.",
)
_END = describes(
    "End a run.",
    {200: EndedRun},
    details="If it serves a job, the job is cancelled. The response is sent when the run has"
    " ended.",
    errors=[JobNotEnded, RunNotEnded, RunNotFound],
    parameters=[Parameter("run_id", "path", {"type": "string", "format": "uuid"}, "The run's id.")],
)


def blueprint(runs: Runs) -> Blueprint:
    """The views."""
    views = Blueprint("runs", __name__)

    @views.get("/runs")
    @_LIST
    def all_runs() -> Response:
        rows = runs.rows(g.user)
        return jsonify(runs=rows, count=len(rows))

    @views.delete("/runs/<run_id>")
    @_END
    def end(run_id: str) -> Response:
        runs.end(run_id, g.user)
        return jsonify(status="ended", run_id=run_id)

    return views
