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
            "The prompt in UTF-8. The other fields, such as `cwd`, are query parameters.",
            "Which files are here?",
        ),
    },
    {
        "a question": {"prompt": "Which files are here?", "cwd": "/tmp"},  # noqa: S108
        "with few permissions, and without waiting for the end": {
            "prompt": "Describe each file in one sentence.",
            "cwd": "/tmp",  # noqa: S108
            "allowed_tools": ["Read", "Bash(ls:*)"],
            "detach": True,
            "timeout": 600,
        },
        "with questions to you, and another job to come": {
            "prompt": "Write a README.md for this folder.",
            "cwd": "/tmp",  # noqa: S108
            "ask": True,
            "keep_alive": "5m",
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
    details="The response is a stream of what the CLI prints, as it prints it. The header `Accept`"
    " chooses another form, such as `text/plain` for the text of the answer alone. If the client"
    " closes the connection before the job has ended, the job is cancelled, unless it is"
    " detached.",
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
            "`respond-async`: do not wait for the job. The response is a 202 with the job's id, and"
            " the job is detached (RFC 7240).",
        ),
        Parameter(
            "Idempotency-Key",
            "header",
            {"type": "string", "pattern": "^[!-~]{1,255}$"},
            "A text of your choice that makes it safe to repeat the request: the same key with the"
            " same body returns the same job, for as long as the job is kept, and its stream from"
            " the start. The job is detached. Keys are separate per user.",
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
    details="Works while the job runs and after its end. No line is lost or repeated. A disconnect"
    " does not cancel the job. For the job's user and the operator.",
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
    details="The response is sent when none of the job's processes is left. The CLI first gets"
    " SIGINT, so that it can stop its tools and write a last `result`. After half of KILL_GRACE it"
    " and all processes that it started get SIGTERM, and after all of it SIGKILL. A queued job is"
    " cancelled at once.",
    errors=[JobNotFound, JobNotEnded],
    parameters=[job_stream.JOB],
)
