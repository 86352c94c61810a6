"""`GET /stats`: totals over the jobs that are kept."""

from flask import Blueprint, Response, g, jsonify

from app.api.described.stats import Stats
from app.cli.installed import Installed
from app.jobs.service import JobService
from app.openapi.describe import describes
from app.processes import Process, age
from app.version import VERSION


def blueprint(jobs: JobService, claude: Installed, master: Process) -> Blueprint:
    """The view; the gateway has run since its `master` was started."""
    views = Blueprint("stats", __name__)

    @views.get("/stats")
    @describes(
        "Get the number, cost and tokens of jobs by status, day, model and user.",
        {200: Stats},
        details="Users see the totals of their own jobs, the operator those of all jobs.",
    )
    def stats() -> Response:
        sums = jobs.sums(g.user)
        return jsonify(
            version=VERSION,
            claude_version=claude.version,
            uptime_seconds=round(age(master), 3),
            **sums,
            **(jobs.metrics.summary() if g.user.is_operator else {}),
        )

    return views
