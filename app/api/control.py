"""`POST /jobs/{process_id}/control`: send the CLI of a job a control request."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from app.api.described.control import ControlAnswer, ControlBody
from app.api.described.job_stream import JOB
from app.api.messages import SEND_ERRORS
from app.cli.control_answer import AnswerFinder
from app.cli.control_requests import ALLOWED, control_request
from app.errors import (
    ControlFailed,
    ControlNotAllowed,
    ControlTimeout,
    JobContinuesAfterShutdown,
    JobHasEnded,
)
from app.http.body import BodyReader
from app.http.disconnect import DISCONNECTED, follow_for_client
from app.jobs.follow import Follower
from app.jobs.service import JobService
from app.jobs.talk import SentRequest, Talk
from app.json_body import read_object
from app.openapi.describe import Body, describes
from app.text import shortened

#: Seconds to wait for the CLI's answer.
PATIENCE = 30.0
# Characters of an error of the CLI.
_LONGEST_ERROR = 1000

_CONTROL = describes(
    "Send a control request to the CLI of a running job.",
    {200: ControlAnswer},
    details=f"It asks the CLI for something beside the conversation, such as how full Claude's"
    f" context is. The response has the CLI's answer."
    f" Allowed are {', '.join(f'`{name}`' for name in ALLOWED)}, and what the operator has"
    " added in CONTROL_ALLOWED. After `set_model`, `set_permission_mode` or an added one, the CLI's"
    " process is not kept for another job. Only jobs that were started with `ask` or `keep_alive`"
    " take control requests.",
    errors=[
        *SEND_ERRORS,
        ControlFailed,
        ControlNotAllowed,
        ControlTimeout,
        JobContinuesAfterShutdown,
    ],
    parameters=[JOB],
    body=Body(
        {"application/json": ControlBody},
        {
            "how full Claude's context is": {"subtype": "get_context_usage"},
            "another model": {"subtype": "set_model", "model": "haiku"},
        },
    ),
)


def blueprint(
    jobs: JobService, talk: Talk, bodies: BodyReader, more_allowed: Sequence[str]
) -> Blueprint:
    """The view; `more_allowed` are kinds of requests that the operator has added."""
    views = Blueprint("control", __name__)

    @views.post("/jobs/<job_id>/control")
    @_CONTROL
    def control(job_id: str) -> Response:
        # Refused before its request is read.
        talk.find(job_id, g.user)
        fields = read_object(bodies.read_json_bytes(request))
        asked = control_request(fields, more_allowed)
        sent = talk.send_request(job_id, g.user, asked)
        with follow_for_client(jobs, sent.job, sent.position, request.environ) as follower:
            answer = _answer(follower, sent)
        if answer.get("subtype") != "success":
            raise ControlFailed(shortened(str(answer.get("error")), _LONGEST_ERROR))
        return jsonify(
            process_id=job_id, subtype=asked.fields["subtype"], response=answer.get("response")
        )

    return views


def _answer(follower: Follower, sent: SentRequest) -> Mapping[str, Any]:
    """The CLI's answer. Raises ControlTimeout, JobHasEnded, JobContinuesAfterShutdown."""
    finder = AnswerFinder(sent.id)
    follower.stop_after(PATIENCE)
    for chunk in follower:
        answer = finder.feed(chunk) if isinstance(chunk, bytes) else None
        if answer is not None:
            return answer
    if follower.stopped_by not in (None, DISCONNECTED):
        raise JobContinuesAfterShutdown(sent.job.id)
    if sent.job.end() is not None:
        raise JobHasEnded(sent.job.id)
    raise ControlTimeout(PATIENCE)
