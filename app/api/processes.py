"""`GET /processes`: the jobs that are running or queued."""

from flask import Blueprint, Response, g, jsonify

from app.api.described.jobs import Processes
from app.jobs.service import JobService
from app.openapi.describe import describes


def add_routes(views: Blueprint, jobs: JobService) -> None:
    """Add the view to the blueprint of `/jobs`, whose tag it has in the OpenAPI document."""

    @views.get("/processes")
    @describes(
        "List the jobs that are running or queued.",
        {200: Processes},
        details="Users see their own jobs, the operator all jobs.",
    )
    def processes() -> Response:
        rows = jobs.running(g.user)
        return jsonify(processes=rows, count=len(rows))
