"""`GET /metrics` and `GET /stats`: for who watches the service."""

import time

from flask import Blueprint, Response, g, jsonify

from app.api.described import schemas
from app.cli.installed import Installed
from app.jobs.service import JobService
from app.jobs.store import Spool
from app.metrics import Metrics
from app.openapi.describe import Answer, Text, describes
from app.processes import Process, age
from app.version import VERSION

_METRICS = Text(
    "Names begin with `claudecode2api_`.",
    'claudecode2api_jobs{status="running"} 1.0\n',
)


def metrics_blueprint(
    metrics: Metrics, spool: Spool, claude: Installed, owner: Process
) -> Blueprint:
    """What Prometheus scrapes (text format 0.0.4); the gateway is as old as its `owner`."""
    views = Blueprint("metrics", __name__)
    began = time.time() - age(owner)

    @views.get("/metrics")
    @describes(
        "Counters for Prometheus.",
        {200: Answer("In Prometheus's text format.", {"text/plain": _METRICS})},
    )
    def scrape() -> Response:
        running, queued = spool.count()
        text = metrics.render(
            [
                ("claudecode2api_jobs", "Jobs now.", {"status": "running"}, running),
                ("claudecode2api_jobs", "Jobs now.", {"status": "queued"}, queued),
                (
                    "claudecode2api_build_info",
                    "Versions.",
                    {"version": VERSION, "claude_version": claude.version},
                    1,
                ),
                ("claudecode2api_start_time_seconds", "When it started.", {}, began),
            ]
        )
        return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")

    return views


def stats_blueprint(jobs: JobService, claude: Installed, owner: Process) -> Blueprint:
    """Sums over the jobs that are kept; the gateway is as old as its `owner`."""
    views = Blueprint("stats", __name__)

    @views.get("/stats")
    @describes("What the jobs that you may see came to and cost.", {200: schemas.Stats})
    def stats() -> Response:
        sums = jobs.sums(g.user)
        return jsonify(
            version=VERSION,
            claude_version=claude.version,
            uptime_seconds=round(age(owner), 3),
            **sums,
        )

    return views
