"""`POST /jobs/{process_id}/messages`: send a message to the model while a job runs."""

from flask import Blueprint, Response, g, jsonify, request

from app.api.described.job_stream import JOB
from app.api.described.messages import SentMessage
from app.api.message_body import MessageBody, read_message
from app.errors import (
    DiskFull,
    InvalidRequest,
    JobHasEnded,
    JobNotFound,
    PlainJob,
    TooManyMessages,
)
from app.http.body import BODY_ERRORS, BodyReader
from app.jobs.talk import Talk
from app.openapi.describe import Body, ResponseDescription, describes

#: Raised by what sends something to a job that runs.
SEND_ERRORS = (
    *BODY_ERRORS,
    DiskFull,
    InvalidRequest,
    JobHasEnded,
    JobNotFound,
    PlainJob,
    TooManyMessages,
)

_SEND = describes(
    "Send Claude a message while a job runs.",
    {
        202: ResponseDescription(
            "The message was sent. `messages` in the job's record show what becomes of it.",
            {"application/json": SentMessage},
        )
    },
    details="Claude reads it after the tool call that is running, or else in another turn of the"
    " same job. It is never a slash command. A queued job gets it when it has started. Only jobs"
    " that were started with `ask` or `keep_alive` take messages.",
    errors=SEND_ERRORS,
    parameters=[JOB],
    body=Body(
        {"application/json": MessageBody},
        {
            "a text": {"text": "Use the other branch, please."},
            "a text in parts": {"content": [{"type": "text", "text": "Use the other branch."}]},
        },
    ),
)


def blueprint(talk: Talk, bodies: BodyReader) -> Blueprint:
    """The view."""
    views = Blueprint("messages", __name__)

    @views.post("/jobs/<job_id>/messages")
    @_SEND
    def send(job_id: str) -> tuple[Response, int]:
        # Refused before its message is read.
        talk.find(job_id, g.user)
        content = read_message(bodies.read_json_bytes(request))
        message_id = talk.send_message(job_id, g.user, content)
        return jsonify(status="sent", process_id=job_id, message_id=message_id), 202

    return views
