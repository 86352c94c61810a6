"""The operations of `/chat`, for the OpenAPI document."""

from app.api.described import job_stream
from app.api.described.jobs import Cancelled, Started
from app.cli.request_fields import ChatRequest
from app.errors import (
    BadEventId,
    DiskFull,
    IdempotencyKeyReused,
    JobNotEnded,
    JobNotFound,
    QueueFull,
    SessionNotFound,
)
from app.http.chat_request import CHAT_REQUEST_ERRORS
from app.openapi.describe import Body, Parameter, ResponseDescription, Text, describes, query_of

_BODY = Body(
    {
        "application/json": ChatRequest,
        "text/plain": Text(
            "The prompt in UTF-8. The other fields are in the query.",
            "Which files are here?",
        ),
    },
    {
        "a question": {"prompt": "Which files are here?", "cwd": "/tmp"},  # noqa: S108
        "a restricted job that continues without its client": {
            "prompt": "Fix the failing test.",
            "cwd": "/home/me/project",
            "allowed_tools": ["Read", "Edit", "Bash(pytest:*)"],
            "detach": True,
            "timeout": 600,
        },
    },
)

START = describes(
    "Start a job and read its stream.",
    {
        **job_stream.RESPONSES,
        202: ResponseDescription(
            "The job is running or queued, and detached (`Prefer: respond-async`).",
            {"application/json": Started},
            ("X-Process-ID", "Location", "Preference-Applied"),
            links=job_stream.RESPONSES[200].links,
        ),
    },
    details="The response begins at once, before the CLI writes anything. If the client closes the"
    " connection before the job has ended, the job is cancelled, unless it is detached.",
    body=_BODY,
    errors=[
        *CHAT_REQUEST_ERRORS,
        *job_stream.READ_ERRORS,
        *job_stream.STARTED_ERRORS,
        DiskFull,
        IdempotencyKeyReused,
        QueueFull,
        SessionNotFound,
    ],
    parameters=[
        Parameter(
            "Prefer",
            "header",
            {"type": "string"},
            "`respond-async`: respond with 202 as soon as the job is running or queued, and detach"
            " it (RFC 7240).",
        ),
        Parameter(
            "Idempotency-Key",
            "header",
            {"type": "string", "pattern": "^[!-~]{1,255}$"},
            "The same key with the same body returns the same job, and its stream from the start,"
            " for as long as the job is kept. The job is detached. Keys are separate per user.",
        ),
        query_of(
            ChatRequest,
            "Only with a `text/plain` body, which is the prompt: all other fields, each as a query"
            " parameter, such as `?cwd=/tmp&model=haiku`. A list is a parameter that is repeated"
            " (`tools=Read&tools=Bash`); an object is JSON.",
            {"cwd": "/tmp"},  # noqa: S108 - an example
            leave_out=["prompt"],
        ),
    ],
)

RESUME = describes(
    "Read a job's stream, from the start or after an event.",
    {
        **job_stream.RESPONSES,
        204: ResponseDescription("The client already has `done`. A browser stops reconnecting."),
    },
    details="For the job's user and the operator, whether the job has ended or not. No line is lost"
    " or repeated. A disconnect does not cancel the job.",
    errors=[*job_stream.READ_ERRORS, BadEventId],
    parameters=[
        job_stream.JOB,
        Parameter(
            "Last-Event-ID",
            "header",
            {"type": "string"},
            "The id of the last event that the client has. Without it, the stream begins at the"
            " start.",
        ),
        Parameter(
            "last_event_id",
            "query",
            {"type": "string"},
            "The same, for clients that cannot send headers. The header takes precedence.",
        ),
    ],
)

CANCEL = describes(
    "Cancel a job.",
    {200: Cancelled},
    details="The CLI is sent SIGINT, so that it can stop its tools and write a last `result`. Its"
    " process and all descendants are sent SIGTERM after half of `KILL_GRACE`, and SIGKILL after"
    " all of it. The response is sent when none of the job's processes is left. A queued job is"
    " cancelled at once.",
    errors=[JobNotFound, JobNotEnded],
    parameters=[job_stream.JOB],
)
