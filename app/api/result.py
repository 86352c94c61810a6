"""Answers that wait for a job's end and then say in one piece how it went."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, jsonify

from app.errors import JobContinuesAfterShutdown, ShuttingDown
from app.http.disconnect import CLIENT_LEFT, follow_for_client
from app.http.error_handlers import request_id
from app.jobs.follow import BEYOND
from app.jobs.service import JobService
from app.records.job import Job
from app.text import well_formed

#: What a job that did not succeed is answered with (RFC 4918): no client repeats it by itself.
FAILED_DEPENDENCY = 424


def answer_when_ended(
    jobs: JobService,
    job: Job,
    kind: str,
    environ: Mapping[str, Any],
    client_left: Callable[[], None],
    *,
    is_new: bool,
) -> Response:
    """The job's record (application/json) or the answer's text (text/plain), once it has ended.

    A job that did not succeed is a 424. `is_new`: this request started the job. Raises
    JobNotStarted if the job waited for its turn and then could not be started. If this process
    shuts down first, raises ShuttingDown, or JobContinuesAfterShutdown for a new job.
    """
    with follow_for_client(jobs, job, BEYOND, environ) as follower:
        for _ in follower:
            continue
    if follower.stopped_by == CLIENT_LEFT:
        client_left()
        # No client is left to read this.
        return Response(status=499)
    if follower.stopped_by is not None:
        raise (JobContinuesAfterShutdown(job.id) if is_new else ShuttingDown(f"/jobs/{job.id}"))
    succeeded = jobs.end_of(job)["status"] == "succeeded"
    record = jobs.record(job)
    if kind == "application/json":
        answer = jsonify(record if succeeded else _as_error(record))
    else:
        answer = Response(_text(record), mimetype="text/plain")
    answer.status_code = 200 if succeeded else FAILED_DEPENDENCY
    answer.headers["X-Process-ID"] = job.id
    answer.vary.add("Accept")
    return answer


def _as_error(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with what every error has."""
    return {
        **record,
        "detail": record["error"],
        "code": f"job_{record['status']}",
        "request_id": request_id(),
    }


def _text(record: Mapping[str, Any]) -> bytes:
    """The answer, or why there is none, with a newline at its end."""
    text = record["result"] or ""
    if not text and record["status"] != "succeeded":
        # What a CLI writes when it is asked to end is of no use.
        stderr = record["stderr"].strip() if record["status"] == "failed" else ""
        words = [] if record["error"] in stderr else [record["error"]]
        text = "\n".join([*words, stderr]).strip()
    content = well_formed(text).encode()
    return content if content.endswith(b"\n") else content + b"\n"
