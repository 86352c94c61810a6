"""The responses that carry a job's output, in each form that `app.api.accept` chooses."""

from app.api.described.event_schema import event_schema, json_data
from app.api.described.jobs import Done, FailedJob, JobRecord, StreamError
from app.errors import (
    GatewayError,
    JobContinues,
    JobContinuesAfterShutdown,
    JobNotFound,
    JobNotStarted,
    ShuttingDown,
)
from app.openapi.describe import Parameter, ResponseDescription, Text

#: The job in the path.
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


EVENTS = Text(
    "Server-sent events (the WHATWG's HTML standard, section 9.2). The schema describes one"
    " event.\n\n"
    "- `message`: one line of the CLI's standard output, unchanged. It is usually JSON, but not"
    " always. A raw CR in it begins another `data:` line of the same event. Blank lines are"
    " skipped.\n"
    "- `done`: how the job ended. The last event.\n"
    "- `error`: why the gateway ended the stream. The last event, instead of `done`.\n\n"
    "Each `message` and `done` has an `id:`, an opaque string; send it as `Last-Event-ID` to resume"
    " the stream. `retry:` in the first event is how long a browser waits before it reconnects."
    " `: ping` is a comment that keeps the connection open, `: queued 3` one with the job's place"
    " in the queue. A stream that ends without `done` or `error` was cut off; its job continues.",
    _EXAMPLE,
    {
        "oneOf": [
            event_schema("message", "A line of the CLI.", {}, "id"),
            event_schema("done", "How the job ended.", json_data(Done), "id"),
            event_schema("error", "Why the gateway ended the stream.", json_data(StreamError)),
        ]
    },
    (Done, StreamError),
)
LINES = Text(
    "The CLI's standard output, unchanged. If the gateway cannot continue, the connection breaks.",
    '{"type":"system","subtype":"init"}\n{"type":"result","result":"Two files."}\n',
)
_TEXT = Text("The text of the answer, with a newline at the end.", "Two files.\n")
_FAILURE_TEXT = Text(
    "The text of the answer if there is one. Otherwise why the job did not succeed, and the end of"
    " the CLI's standard error."
)

#: The job's output.
RESPONSES = {
    200: ResponseDescription(
        "The job's output, in the form that the header `Accept` chooses: by default events;"
        " `application/x-ndjson`: the CLI's lines alone; `application/json`: the job's record, once"
        " it has ended; `text/plain`: the text of the answer, once it has ended.",
        {
            "text/event-stream": EVENTS,
            "application/x-ndjson": LINES,
            "application/json": JobRecord,
            "text/plain": _TEXT,
        },
        ("X-Process-ID",),
        # Streams alone have these.
        sometimes=("Cache-Control", "X-Accel-Buffering"),
        links=("chat.resume", "chat.cancel", "jobs.one", "jobs.interrupt"),
    ),
    424: ResponseDescription(
        "The job did not succeed (`application/json` and `text/plain` only). No client retries a"
        " 424 by itself.",
        {"application/json": FailedJob, "text/plain": _FAILURE_TEXT},
        ("X-Process-ID",),
    ),
}
#: Errors of reading a job.
READ_ERRORS: tuple[type[GatewayError], ...] = (JobNotFound, ShuttingDown, JobNotStarted)
#: Errors after the request has started the job: a retry would start another one.
STARTED_ERRORS: tuple[type[GatewayError], ...] = (JobContinuesAfterShutdown, JobContinues)
