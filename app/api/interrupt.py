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
        "Interrupt a job.",
        {
            202: ResponseDescription(
                "Claude was asked to stop. The CLI writes its `result`, and the job ends as"
                " `cancelled`.",
                {"application/json": Interrupted},
            )
        },
        details="Unlike `DELETE /chat/{process_id}`, this keeps the CLI's process if the job was"
        " started with `keep_alive`, and does not wait for the end. A queued job ends at once.",
        errors=[JobNotFound],
        parameters=[JOB],
    )
    def interrupt(job_id: str) -> tuple[Response, int]:
        jobs.interrupt(job_id, g.user)
        return jsonify(status="interrupted", process_id=job_id), 202
