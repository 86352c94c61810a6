"""`GET /metrics`: counters for Prometheus."""

import time

from flask import Blueprint, Response

from app.cli.installed import Installed
from app.jobs.questions import Questions
from app.jobs.runs import Runs
from app.jobs.store import Spool
from app.metrics import Metrics
from app.openapi.describe import ResponseDescription, Text, describes
from app.processes import Process, age
from app.version import VERSION

_METRICS = Text(
    "The names begin with `claudecode2api_`.",
    'claudecode2api_jobs{status="running"} 1.0\n',
)


def blueprint(
    metrics: Metrics,
    spool: Spool,
    runs: Runs,
    questions: Questions,
    claude: Installed,
    master: Process,
) -> Blueprint:
    """The view; the gateway has run since its `master` was started."""
    views = Blueprint("metrics", __name__)
    started = time.time() - age(master)

    @views.get("/metrics")
    @describes(
        "Get the metrics of the gateway, for Prometheus.",
        {200: ResponseDescription("Prometheus text format 0.0.4.", {"text/plain": _METRICS})},
    )
    def scrape() -> Response:
        running, queued = spool.count()
        text = metrics.render(
            [
                ("claudecode2api_jobs", "Jobs now.", {"status": "running"}, running),
                ("claudecode2api_jobs", "Jobs now.", {"status": "queued"}, queued),
                *(
                    ("claudecode2api_runs", "Processes of the CLI now.", {"state": state}, count)
                    for state, count in runs.count().items()
                ),
                (
                    "claudecode2api_questions",
                    "Questions that need an answer now.",
                    {},
                    len(questions.open_for(None)),
                ),
                (
                    "claudecode2api_build_info",
                    "Versions.",
                    {"version": VERSION, "claude_version": claude.version},
                    1,
                ),
                ("claudecode2api_start_time_seconds", "When the gateway started.", {}, started),
            ]
        )
        return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")

    return views
