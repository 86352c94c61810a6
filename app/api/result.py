"""The result of a job as one response, once the job has ended: its record, or the answer's text."""

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify

from app.errors import FAILED_DEPENDENCY, JobContinuesAfterShutdown, ShuttingDown
from app.http.disconnect import DISCONNECTED, follow_for_client
from app.http.request_id import request_id
from app.jobs.follow import BEYOND
from app.jobs.service import JobService
from app.records.job import Job
from app.text import well_formed


def result_response(
    jobs: JobService,
    job: Job,
    kind: str,
    environ: Mapping[str, Any],
    *,
    is_new: bool,
    cancel_on_disconnect: bool,
) -> Response:
    """The job's record (application/json) or the answer's text (text/plain).

    A job that did not succeed is a 424. `is_new`: this request started the job. Raises
    JobNotStarted if the job was queued and then could not be started. If this process shuts down
    first, raises ShuttingDown, or JobContinuesAfterShutdown for a new job.
    """
    with follow_for_client(
        jobs, job, BEYOND, environ, cancel_on_disconnect=cancel_on_disconnect
    ) as follower:
        for _ in follower:
            continue
    if follower.stopped_by == DISCONNECTED:
        # Nothing can be sent any more; the log has the status.
        return Response(status=499)
    if follower.stopped_by is not None:
        if is_new:
            raise JobContinuesAfterShutdown(job.id)
        raise ShuttingDown(f"/jobs/{job.id}")
    succeeded = jobs.end_of(job)["status"] == "succeeded"
    record = jobs.record(job)
    if kind == "application/json":
        response = jsonify(record if succeeded else _with_error_fields(record))
    else:
        response = Response(_text(record), mimetype="text/plain")
    response.status_code = 200 if succeeded else FAILED_DEPENDENCY
    response.headers["X-Process-ID"] = job.id
    response.vary.add("Accept")
    return response


def _with_error_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **record,
        "detail": record["error"],
        "code": f"job_{record['status']}",
        "request_id": request_id(),
    }


def _text(record: Mapping[str, Any]) -> bytes:
    """The answer, or the reason why there is none, with a newline at the end."""
    text = record["result"] or ""
    if not text and record["status"] != "succeeded":
        # What a CLI writes when it is cancelled is of no use.
        stderr = record["stderr"].strip() if record["status"] == "failed" else ""
        error = [] if record["error"] in stderr else [record["error"]]
        text = "\n".join([*error, stderr]).strip()
    content = well_formed(text).encode()
    return content if content.endswith(b"\n") else content + b"\n"
