"""What reading a job answers, in each form that `app.api.accept` knows, in words."""

from typing import Any

from app.api.described.schemas import Done, FailedJob, JobRecord, StreamError
from app.errors import (
    GatewayError,
    JobContinues,
    JobContinuesAfterShutdown,
    JobNotFound,
    JobNotStarted,
    ShuttingDown,
)
from app.openapi.describe import Answer, Model, Parameter, Text
from app.openapi.json_schema import reference

#: A job in the path.
JOB = Parameter(
    "process_id", "path", {"type": "string", "format": "uuid"}, "The job's id.", argument="job_id"
)

_ID = "1dd2ca9e-592a-4d5c-ae55-b5c258d29ddb"
_EXAMPLE = f"""\
: queued 1
retry: 1000
event: message
data: {{"type":"system","subtype":"init","cwd":"/tmp","session_id":"f9645fec"}}
id: 75

: ping
event: message
data: {{"type":"assistant","message":{{"content":[{{"type":"text","text":"Two files."}}]}}}}
id: 156

event: message
data: {{"type":"result","is_error":false,"result":"Two files.","total_cost_usd":0.01}}
id: 237

event: done
data: {{"process_id":"{_ID}","status":"succeeded","exit_code":0,"signal":null,\
"session_id":"f9645fec","is_error":false,"total_cost_usd":0.01,"duration_ms":null,"reason":null}}
id: end

"""


def _event(name: str, data: dict[str, Any], *needed: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "event": {"const": name},
            "data": {"type": "string", **data},
            "id": {"type": "string"},
        },
        "required": ["event", "data", *needed],
    }


def _json(model: Model) -> dict[str, Any]:
    return {"contentMediaType": "application/json", "contentSchema": reference(model)}


EVENTS = Text(
    "Server-sent events (the WHATWG's HTML standard, section 9.2); this describes each of them.\n\n"
    "- `message`: one line of the CLI's standard output, its bytes untouched. Usually JSON, but"
    " nothing makes sure of it. A raw CR in it begins a second `data:` line of the same event."
    " Blank lines are left out.\n"
    "- `done`: how the job ended. The last event.\n"
    "- `error`: what the gateway itself could not do. The last event; there is no `done`.\n\n"
    "Each `message` and `done` has an `id:`, an opaque string, with which the stream can be"
    " resumed. `retry:`, in the first event, is how long a browser waits before it reconnects."
    " `: ping` is a comment, and so is `: queued 3`, the place of a job that waits for its turn."
    " A stream that ends without `done` or `error` was cut off; its job goes on.",
    _EXAMPLE,
    {
        "oneOf": [
            _event("message", {}, "id"),
            _event("done", _json(Done), "id"),
            _event("error", _json(StreamError)),
        ]
    },
    (Done, StreamError),
)
LINES = Text(
    "The CLI's bytes and nothing else; the connection breaks if the gateway cannot go on.",
    '{"type":"system","subtype":"init"}\n{"type":"result","result":"Two files."}\n',
)
_ANSWER = Text("The text of the answer, with a newline at its end.", "Two files.\n")
_COMPLAINT = Text(
    "The text of the answer if there is one, else the end of the CLI's standard error, else why"
    " the job did not succeed."
)

_DETAILS = "Which of these forms it is, the header `Accept` says; by default the events."
_JOB_HEADERS = ("X-Process-ID",)

#: What a job's reader is answered.
ANSWERS = {
    200: Answer(
        f"The job's output. {_DETAILS} `application/json` and `text/plain` wait for the job's end.",
        {
            "text/event-stream": EVENTS,
            "application/x-ndjson": LINES,
            "application/json": JobRecord,
            "text/plain": _ANSWER,
        },
        _JOB_HEADERS,
        # Those that wait for the end are answers like others.
        sometimes=("Cache-Control", "X-Accel-Buffering"),
        links=("chat.resume", "chat.cancel", "jobs.one", "jobs.interrupt"),
    ),
    424: Answer(
        "The job ran and did not succeed (`application/json` and `text/plain` alone). No client"
        " repeats such a request by itself.",
        {"application/json": FailedJob, "text/plain": _COMPLAINT},
        _JOB_HEADERS,
    ),
}
#: What can go wrong with that.
ERRORS: tuple[type[GatewayError], ...] = (JobNotFound, ShuttingDown, JobNotStarted)
#: What can go wrong for who started the job: the same request would start another one.
ONCE_BEGUN: tuple[type[GatewayError], ...] = (JobContinuesAfterShutdown, JobContinues)
