"""`GET /processes`: the jobs that run now."""

from flask import Blueprint, Response, jsonify

from app.jobs.service import JobService


def blueprint(jobs: JobService) -> Blueprint:
    """The views."""
    views = Blueprint("jobs", __name__)

    @views.get("/processes")
    def processes() -> Response:
        rows = jobs.running()
        return jsonify(processes=rows, count=len(rows))

    return views
