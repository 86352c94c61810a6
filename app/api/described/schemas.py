"""What the gateway answers, as models: the description, not the makers, of the JSON.

The answers are plain dictionaries where they are made, which costs least. The tests hold
every answer that they get to these models.
"""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.openapi.error_models import ErrorBody, Told
from app.records.job import Status

_ID = "324b03ba-e414-46e1-a8c1-d86f48a0eee8"
_STARTED = "2026-11-21T12:42:17.306Z"

Reason = Literal[
    "aborted",
    "api_error",
    "blocked_by_hook",
    "disk_full",
    "idle_timeout",
    "max_budget",
    "max_turns",
    "not_logged_in",
    "output_limit",
    "prompt_too_long",
    "timeout",
]
LiveStatus = Literal["queued", "running"]


class Root(Told):
    """Who this is."""

    message: str
    docs: str = Field(description="Where the API is described for people.")
    health: str = Field(description="Where it tells whether it is up.")


class ClaudeCheck(Told):
    """The CLI."""

    ok: bool = Field(description="Whether its binary can be run.")
    path: str
    version: str
    logged_in: bool | None


class StateCheck(Told):
    """The folder of the jobs."""

    ok: bool
    writable: bool
    free_bytes: int
    needed_bytes: int = Field(description="MIN_FREE_DISK.")


class LauncherCheck(Told):
    """The process that starts jobs."""

    ok: bool


class McpCheck(Told):
    """MCP_CONFIG, if it is set."""

    ok: bool
    servers: list[str]
    error: str | None = None


class Checks(Told):
    """What must be well for jobs to run."""

    claude: ClaudeCheck
    state: StateCheck
    launcher: LauncherCheck
    mcp: McpCheck | None = None


class Health(Told):
    """Whether it is up, and which CLI it uses."""

    status: Literal["ok"]
    claude_path: str = Field(description="The CLI's binary.")
    claude_version: str = Field(
        description="What it says of itself.", examples=["2.1.330 (Claude Code)"]
    )
    logged_in: bool | None = Field(
        description="What `claude auth status` said last, asked at most once a minute; null until"
        " it has answered for the first time."
    )
    version: str = Field(description="The gateway's own.")
    checks: Checks


class Unwell(ErrorBody):
    """Jobs cannot run; `detail` names the checks that failed."""

    status: Literal["unavailable"] | None = None
    claude_path: str | None = None
    claude_version: str | None = None
    logged_in: bool | None = None
    version: str | None = None
    checks: Checks | None = None


class Ready(Told):
    """Jobs can run."""

    status: Literal["ok"]


class StatsRow(Told):
    """What the jobs of one day, model or user came to."""

    day: str | None = Field(None, examples=["2026-11-21"], description="UTC.")
    model: str | None = None
    user: str | None = None
    jobs: int
    cost_usd: float
    tokens: dict[str, int]


class Stats(Told):
    """Sums over the jobs that are kept."""

    version: str
    claude_version: str
    uptime_seconds: float
    jobs: dict[str, int] = Field(description="By status.")
    days: list[StatsRow]
    models: list[StatsRow]
    users: list[StatsRow]


_TITLE = "The request's `title`, or the first line of its prompt; null for a job of version 1.0."


class ProcessRow(Told):
    """A job that runs, or waits for its turn."""

    process_id: UUID = Field(description="The job's id.", examples=[_ID])
    title: str | None = Field(description=_TITLE, examples=["Which files are here?"])
    cwd: str = Field(description="Its working directory.", examples=["/home/me/project"])
    model: str | None = Field(description="The model asked for; null leaves it to the CLI.")
    started_at: AwareDatetime = Field(description="When it was asked for.", examples=[_STARTED])
    session_id: str | None = Field(
        description="The request's, until the CLI names its own.", examples=[_ID]
    )
    user: str = Field(
        description="Who asked: AUTH_USER, or the name of a key in API_KEYS.",
        examples=["admin"],
    )
    status: LiveStatus
    queue_position: int | None = Field(description="Its place if it waits; 1 is the next.", ge=1)


class Processes(Told):
    """The jobs that run or wait now, oldest first."""

    processes: list[ProcessRow]
    count: int = Field(ge=0)


class _End(Told):
    exit_code: int | None = Field(description="The CLI's exit code, if it ended with one.")
    signal: str | None = Field(
        description="The signal that ended the CLI, if one did.", examples=["SIGKILL"]
    )
    is_error: bool | None = Field(
        description="What the CLI's last `result` line says; null without one."
    )
    total_cost_usd: float | None = Field(description="From the same line.")
    duration_ms: float | None = Field(description="From the same line.")
    reason: Reason | None = Field(
        description="Why it did not succeed, for programs; null if that is not known."
    )
    # Defaults, because the keys are there for some jobs alone.
    error: str = Field(
        "",
        description="Why it did not succeed, in one sentence: the CLI's own words where it has"
        " any. Not for a job that succeeded.",
        examples=["Not logged in · Please run /login"],
    )
    stderr: str = Field(
        "",
        description="The end of the CLI's standard error, at most 4096 bytes; not for a job that"
        " succeeded.",
    )


_STATUS = (
    "`succeeded`: the CLI exited with 0, and its last `result` line says that it is no error."
    " `cancelled`. `timed_out`. `lost`: the process that watched over the job was killed."
    " `failed`: anything else."
)


class Done(_End):
    """How a job ended: the data of `event: done`."""

    process_id: UUID = Field(description="The job's id.", examples=[_ID])
    status: Status = Field(description=_STATUS)
    session_id: str | None = Field(description="The session, for continuing it.", examples=[_ID])


class StreamError(Told):
    """What the gateway itself could not do: the data of `event: error`."""

    error: str = Field(description="For people.", examples=["the gateway stops or reloads"])
    code: Literal["stream_ended", "job_not_started", "process_not_found", "internal_error"] = Field(
        description="`stream_ended`: the gateway stops or reloads. `job_not_started`: the CLI could"
        " not be started when the job's turn came. `process_not_found`: the job was removed."
        " `internal_error`: a mistake of the gateway's."
    )
    process_id: UUID = Field(description="The job's id.", examples=[_ID])


class JobRecord(_End):
    """All that is known of a job."""

    process_id: UUID = Field(description="The job's id.", examples=[_ID])
    status: LiveStatus | Status = Field(description=f"`queued`. `running`. {_STATUS}")
    session_id: str | None = Field(description="The session, for continuing it.", examples=[_ID])
    title: str | None = Field(description=_TITLE, examples=["Which files are here?"])
    cwd: str = Field(description="Its working directory.", examples=["/home/me/project"])
    model: str | None = Field(description="The model asked for; null leaves it to the CLI.")
    started_at: AwareDatetime = Field(description="When it was asked for.", examples=[_STARTED])
    user: str = Field(description="Who asked.", examples=["admin"])
    queue_position: int | None = Field(description="Its place if it waits; 1 is the next.", ge=1)
    prompt_length: int = Field(description="In characters.", ge=0)
    detached: bool = Field(description="Whether its client may leave.")
    ended_at: AwareDatetime | None
    num_turns: int | None = Field(description="From the CLI's last `result` line.")
    usage: dict[str, Any] | None = Field(description="From the same line.")
    result: str | None = Field(description="From the same line: the text of the answer.")


class FailedJob(JobRecord):
    """The record of a job that did not succeed, with what every error has."""

    detail: str = Field(description="For people: the same as `error`.")
    code: Literal["job_failed", "job_timed_out", "job_lost", "job_cancelled"]
    request_id: str = Field(description="The same as the header X-Request-ID.")


class Jobs(Told):
    """Records, the newest first."""

    jobs: list[JobRecord]
    count: int = Field(ge=0)


class Started(Told):
    """A job that was started without waiting for its output."""

    process_id: UUID = Field(description="The job's id.", examples=[_ID])


class Cancelled(Told):
    """A job that was cancelled, of which nothing is left running."""

    status: Literal["cancelled"]
    process_id: UUID = Field(description="The job's id.", examples=[_ID])
    killed: int = Field(description="How many processes were ended with a signal.", ge=0)
    signal: str | None = Field(description="The highest signal used.", examples=["SIGINT"])


class Removed(Told):
    """A job of which nothing is kept any more."""

    status: Literal["removed"]
    process_id: UUID = Field(description="The job's id.", examples=[_ID])


class Interrupted(Told):
    """A job whose CLI was told to end its turn."""

    status: Literal["interrupted"]
    process_id: UUID = Field(description="The job's id.", examples=[_ID])
