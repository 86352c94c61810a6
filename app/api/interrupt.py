"""`POST /jobs/{process_id}/interrupt`: stop a job's turn."""

from flask import Blueprint, Response, g, jsonify

from app.api.described.interrupt import Interrupted
from app.api.described.job_stream import JOB
from app.errors import JobNotFound
from app.jobs.service import JobService
from app.openapi.describe import ResponseDescription, describes


def add_routes(views: Blueprint, jobs: JobService) -> None:
    """Add the view to the blueprint of `/jobs`, whose tag it has in the OpenAPI document."""

    @views.post("/jobs/<job_id>/interrupt")
    @describes(
        "Interrupt a job gracefully.",
        {
            202: ResponseDescription(
                "The CLI was asked to stop its turn. It writes its `result`, and the job ends as"
                " `cancelled`.",
                {"application/json": Interrupted},
            )
        },
        details="If the job's CLI is kept (`keep_alive`), it stays for the next job. A queued job"
        " ends at once.",
        errors=[JobNotFound],
        parameters=[JOB],
    )
    def interrupt(job_id: str) -> tuple[Response, int]:
        jobs.interrupt(job_id, g.user)
        return jsonify(status="interrupted", process_id=job_id), 202
