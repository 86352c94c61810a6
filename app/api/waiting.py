"""Answers that wait for a job's end and then say in one piece how it went."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, jsonify

from app.errors import GatewayStops, JobNotStarted
from app.jobs.directory import JobDirectory
from app.jobs.follow import BEYOND
from app.jobs.service import JobService
from app.web.client import CLIENT_LEFT, follow_for_client

_STATUSES = {"succeeded": 200, "timed_out": 504}


def answer_when_ended(
    jobs: JobService,
    directory: JobDirectory,
    kind: str,
    environ: Mapping[str, Any],
    client_left: Callable[[], None],
) -> Response:
    """The job's record (application/json) or the answer's text (text/plain), once it has ended.

    A job that did not succeed is a 502, one that timed out a 504. Raises GatewayStops if this
    process stops first, and JobNotStarted if the job waited for its turn and then could not be
    started.
    """
    with follow_for_client(jobs, directory, BEYOND, environ) as follower:
        for _ in follower:
            continue
    if follower.stopped_by == CLIENT_LEFT:
        client_left()
        # Nobody reads this.
        return Response(status=499)
    if follower.stopped_by is not None:
        raise GatewayStops(f"/jobs/{directory.id}")
    record = jobs.record(directory)
    if "error" in record:
        raise JobNotStarted(record["error"])
    status = _STATUSES.get(record["status"], 502)
    if kind == "application/json":
        answer = jsonify(record)
    else:
        answer = Response(record["result"] or record.get("stderr", ""), mimetype="text/plain")
    answer.status_code = status
    answer.headers["X-Process-ID"] = directory.id
    answer.vary.add("Accept")
    return answer
