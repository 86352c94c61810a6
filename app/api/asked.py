"""`GET /jobs/{process_id}/request`: what clients asked of a job."""

from flask import Blueprint, Response, g, jsonify

from app.api.described.asked import Asked
from app.api.described.job_stream import JOB
from app.errors import JobNotFound
from app.jobs.service import JobService
from app.openapi.describe import describes


def add_routes(views: Blueprint, jobs: JobService) -> None:
    """Add the view to the blueprint of `/jobs`, whose tag it has in the OpenAPI document."""

    @views.get("/jobs/<job_id>/request")
    @describes(
        "Get what was asked of a job.",
        {200: Asked},
        details="The prompt, the other fields of the request, and the messages that were sent"
        " while it ran. Of what may be secret, there are only names: the values of `env`, and of"
        " JSON in `settings` and `mcp_config`, are `***`.",
        errors=[JobNotFound],
        parameters=[JOB],
    )
    def asked(job_id: str) -> Response:
        return jsonify(jobs.asked(job_id, g.user))
