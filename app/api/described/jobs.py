"""The JSON of `/chat`, `/jobs` and `/processes`, as models for the OpenAPI document.

The models describe responses and do not make them: those are plain dictionaries, which costs
least. The tests validate every response against these models.
"""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.openapi.response_model import ResponseModel
from app.records.job_records import Backend, Status

_ID = "324b03ba-e414-46e1-a8c1-d86f48a0eee8"
_STARTED = "2026-11-21T12:42:17.306Z"

Reason = Literal[
    "aborted",
    "api_error",
    "background_stopped",
    "blocked_by_hook",
    "client_tools",
    "disk_full",
    "idle_timeout",
    "max_budget",
    "max_tokens",
    "max_turns",
    "model_context_window_exceeded",
    "not_logged_in",
    "output_limit",
    "prompt_too_long",
    "refusal",
    "stop_sequence",
    "timeout",
]
LiveStatus = Literal["queued", "running"]


_TITLE = "The request's `title`, or the first line of its prompt; null for jobs of version 1.0."


class _Row(ResponseModel):
    process_id: UUID = Field(description="The job's id.", examples=[_ID])
    title: str | None = Field(description=_TITLE, examples=["Which files are here?"])
    cwd: str = Field(description="The working directory.", examples=["/home/me/project"])
    model: str | None = Field(description="The model that was asked for; null: the CLI chooses.")
    started_at: AwareDatetime = Field(
        description="When the job was requested.", examples=[_STARTED]
    )
    session_id: str | None = Field(
        description="The session; until the CLI reports it, the one in the request.", examples=[_ID]
    )
    user: str = Field(
        description="AUTH_USER, or the name of a key in API_KEYS.",
        examples=["admin"],
    )
    queue_position: int | None = Field(
        description="The place in the queue, from 1; null if the job is running or has ended.", ge=1
    )
    backend: Backend = Field(
        description="`direct`: the model's API answers without the CLI, and `cwd` is empty."
    )


class ProcessRow(_Row):
    """A job that is running or queued."""

    status: LiveStatus = Field(description="`queued`: it waits for its turn to start.")


class Processes(ResponseModel):
    """The jobs that are running or queued, oldest first."""

    processes: list[ProcessRow] = Field(description="The jobs.")
    count: int = Field(description="How many there are in this response.", ge=0)


class BackgroundTask(ResponseModel):
    """A command or an agent in the background."""

    task_id: str = Field(description="The CLI's id for it.")
    description: str = Field(description="What it is, in Claude's words.", examples=["npm run dev"])
    status: Literal["completed", "running", "stopped"] = Field(
        description="`completed`: it ended by itself. `running`: it runs on in a run that is kept."
        " `stopped`: it was ended."
    )


class _End(ResponseModel):
    exit_code: int | None = Field(
        description="The exit code of the CLI's process; null if a signal ended it, or if it stays."
    )
    signal: str | None = Field(
        description="The signal that ended the CLI's process, if any.", examples=["SIGKILL"]
    )
    is_error: bool | None = Field(
        description="Whether the CLI's last `result` line reports an error; null if there is none."
    )
    total_cost_usd: float | None = Field(description="What the job cost, by the same line.")
    duration_ms: float | None = Field(description="How long it took, by the same line.")
    reason: Reason | None = Field(
        description="Why the job did not succeed, as a code; null if no code fits."
    )
    # Defaults, because only some jobs have these keys.
    run_id: UUID | None = Field(
        None,
        description="The run that served the job, if it can serve several jobs.",
        examples=[_ID],
    )
    background: list[BackgroundTask] = Field(
        [], description="The commands and agents that the job ran in the background."
    )
    error: str = Field(
        "",
        description="Why the job did not succeed, as a sentence: the CLI's own message if there is"
        " one. Missing if the job succeeded.",
        examples=["Not logged in · Please run /login"],
    )
    stderr: str = Field(
        "",
        description="The end of the CLI's standard error, at most 4096 bytes. Missing if the job"
        " succeeded.",
    )


_STATUS = (
    "`succeeded`: the CLI exited with 0, and its last `result` line reports no error."
    " `cancelled`: a client ended it. `timed_out`: a time limit ended it. `lost`: the process that"
    " supervised the job was killed. `failed`: anything else."
)


class Done(_End):
    """How a job ended: the data of `event: done`."""

    process_id: UUID = Field(description="The job's id.", examples=[_ID])
    status: Status = Field(description=_STATUS)
    session_id: str | None = Field(
        description="The session. Send it with another job to continue the conversation.",
        examples=[_ID],
    )


class StreamError(ResponseModel):
    """Why the gateway ended the stream: the data of `event: error`."""

    error: str = Field(
        description="A message for people.", examples=["the gateway is shutting down or reloading"]
    )
    code: Literal["stream_ended", "job_not_started", "process_not_found", "internal_error"] = Field(
        description="`stream_ended`: the gateway is shutting down or reloading. `job_not_started`:"
        " the CLI could not be started when the job left the queue. `process_not_found`: the job"
        " was removed. `internal_error`: the gateway failed."
    )
    process_id: UUID = Field(description="The job's id.", examples=[_ID])


class MessageState(ResponseModel):
    """What has become of a message that was sent to a job."""

    message_id: UUID = Field(description="The message's id.")
    state: Literal["held", "sent", "queued", "started", "completed", "cancelled", "discarded"] = (
        Field(
            description="`held`: Claude has not begun the job. `sent`, `queued`: the CLI has it."
            " `started`: Claude is reading it. `completed`: Claude has dealt with it. `cancelled`:"
            " an interrupt came first. `discarded`: the job ended first."
        )
    )


class JobRecord(_End):
    """The record of a job."""

    process_id: UUID = Field(description="The job's id.", examples=[_ID])
    status: LiveStatus | Status = Field(
        description="`queued`: it waits for its turn to start. `running`: it has started."
        f" {_STATUS}"
    )
    session_id: str | None = Field(
        description="The session. Send it with another job to continue the conversation.",
        examples=[_ID],
    )
    title: str | None = Field(description=_TITLE, examples=["Which files are here?"])
    cwd: str = Field(description="The working directory.", examples=["/home/me/project"])
    model: str | None = Field(description="The model that was asked for; null: the CLI chooses.")
    started_at: AwareDatetime = Field(
        description="When the job was requested.", examples=[_STARTED]
    )
    user: str = Field(
        description="AUTH_USER, or the name of a key in API_KEYS.", examples=["admin"]
    )
    queue_position: int | None = Field(
        description="The place in the queue, from 1; null if the job is running or has ended.", ge=1
    )
    backend: Backend = Field(
        description="`direct`: the model's API answers without the CLI, and `cwd` is empty."
    )
    prompt_length: int = Field(description="The length of the prompt in characters.", ge=0)
    detached: bool = Field(description="Whether the job continues when its client disconnects.")
    ended_at: AwareDatetime | None = Field(description="When it ended; null before.")
    num_turns: int | None = Field(
        description="How often the model was called, by the CLI's last `result` line."
    )
    usage: dict[str, Any] | None = Field(description="The tokens used, by the same line.")
    result: str | None = Field(description="The text of the answer; null if there is none.")
    messages: list[MessageState] = Field(
        description="The messages that were sent while it ran, oldest first."
    )


class FailedJob(JobRecord):
    """The record of a job that did not succeed, with the fields of every error."""

    detail: str = Field(description="The same as `error`.")
    code: Literal["job_failed", "job_timed_out", "job_lost", "job_cancelled"] = Field(
        description="A stable code for programs."
    )
    request_id: str = Field(description="The same as the header X-Request-ID.")


class JobRow(_Row):
    """The short record of a job."""

    status: LiveStatus | Status = Field(description="As in the job's record.")
    reason: Reason | None = Field(description="As in the job's record.")
    run_id: UUID | None = Field(
        description="The run that serves the job; null: none does yet.", examples=[_ID]
    )
    ended_at: AwareDatetime | None = Field(description="When it ended; null before.")
    duration_ms: float | None = Field(description="As in the job's record.")
    total_cost_usd: float | None = Field(description="As in the job's record.")
    num_turns: int | None = Field(description="As in the job's record.")
    is_error: bool | None = Field(description="As in the job's record.")
    open_questions: int = Field(description="How many questions need an answer.", ge=0)
    detached: bool = Field(description="Whether the job continues when its client disconnects.")


class Totals(ResponseModel):
    """How many kept jobs have each status."""

    queued: int = Field(description="They wait for their turn to start.", ge=0)
    running: int = Field(description="They have started.", ge=0)
    waiting: int = Field(description="Those running jobs with questions for a client.", ge=0)
    succeeded: int = Field(description="As in a job's record.", ge=0)
    failed: int = Field(description="As in a job's record.", ge=0)
    cancelled: int = Field(description="As in a job's record.", ge=0)
    timed_out: int = Field(description="As in a job's record.", ge=0)
    lost: int = Field(description="As in a job's record.", ge=0)


class Jobs(ResponseModel):
    """Records, newest first."""

    jobs: list[JobRecord] | list[JobRow] = Field(
        description="The records; with `short=true`, short records."
    )
    count: int = Field(description="How many there are in this response.", ge=0)
    # Only some responses have it.
    totals: Totals | None = Field(None, description="The counts, with `totals=true`.")


class Started(ResponseModel):
    """A job that is running or queued."""

    process_id: UUID = Field(description="The job's id.", examples=[_ID])


class Cancelled(ResponseModel):
    """The job was cancelled, and none of its processes is left."""

    status: Literal["cancelled"] = Field(description="Always `cancelled`.")
    process_id: UUID = Field(description="The job's id.", examples=[_ID])
    killed: int = Field(description="How many processes were ended with a signal.", ge=0)
    signal: str | None = Field(
        description="The strongest signal that was sent.", examples=["SIGINT"]
    )


class Removed(ResponseModel):
    """The job's record and output were removed."""

    status: Literal["removed"] = Field(description="Always `removed`.")
    process_id: UUID = Field(description="The job's id.", examples=[_ID])
