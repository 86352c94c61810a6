"""`POST /api/claude`: start a job as clients of Claude-Code-Server do."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, request

from app import sse
from app.api.described import job_stream
from app.api.stream import Events, stream
from app.cli.request_fields import read_fields
from app.conversation import options
from app.conversation.workspaces import SHARED, Workspaces
from app.errors import DiskFull, QueueFull, SessionNotFound
from app.http.chat_request import CHAT_REQUEST_ERRORS, ChatRequests
from app.http.start_job import start_job
from app.http.stream_response import STREAM_HEADERS, stream_response
from app.jobs.service import JobService
from app.json_body import read_object
from app.openapi.describe import UNNAMED_EVENT, Body, ResponseDescription, Text, describes


class UnnamedEvents(Events):
    """Each line as an event without a name; no `done` event."""

    def __init__(self) -> None:
        super().__init__()
        self._framer = sse.Framer(0, named=False)
        self._head = b""

    def finish(self, end: Mapping[str, Any]) -> bytes:
        """The last line."""
        return self._framer.finish()


_LINES = Text(
    "Server-sent events without a name: one for each line of the CLI's standard output.",
    'data: {"type":"system","subtype":"init"}\n\n',
    UNNAMED_EVENT,
)
_BODY = Text(
    "`prompt`, and any other field of `POST /chat`, also with dashes in its name. Without `cwd`,"
    " Claude works in the folder of the `workspace`, which is made if need be.",
    schema={
        "type": "object",
        "properties": {
            "prompt": {"type": "string", "minLength": 1, "description": "What Claude should do."}
        },
        "required": ["prompt"],
    },
)
_START = describes(
    "Start a job, as Claude-Code-Server does.",
    {
        200: ResponseDescription(
            "The CLI's lines.",
            {"text/event-stream": _LINES},
            STREAM_HEADERS,
        )
    },
    details="Each line of the CLI is an event without a name. If the client closes the"
    " connection, the job is cancelled, unless it is detached.",
    body=Body(
        {"application/json": _BODY},
        {
            "a question": {"prompt": "Which files are here?"},
            "in another folder": {"prompt": "Which files are here?", "workspace": "notes"},
        },
    ),
    errors=[
        *CHAT_REQUEST_ERRORS,
        *job_stream.READ_ERRORS,
        *job_stream.STARTED_ERRORS,
        DiskFull,
        QueueFull,
        SessionNotFound,
    ],
)


def blueprint(jobs: JobService, requests: ChatRequests, workspaces: Workspaces) -> Blueprint:
    """The view."""
    views = Blueprint("claude", __name__)

    @views.post("/api/claude")
    @_START
    def start() -> Response:
        body = read_object(requests.bodies.read_json_bytes(request))
        given = {name: value for name, value in body.items() if name != "prompt"}
        chosen = options.resolve(options.from_json(given, ""), "")
        fields = {**chosen.fields}
        if "prompt" in body:
            fields["prompt"] = body["prompt"]
        fields.setdefault("cwd", None)
        if fields["cwd"] is None:
            fields["cwd"] = workspaces.path(chosen.workspace or SHARED)
        spec = requests.spec_for(read_fields(fields), g.user)
        started = start_job(jobs, spec, g.user)
        chunks = stream(
            jobs,
            started.job,
            0,
            UnnamedEvents(),
            request.environ,
            cancel_on_disconnect=started.cancel_on_disconnect,
        )
        return stream_response(chunks, "text/event-stream", started.job.id)

    return views
