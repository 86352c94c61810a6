"""The fields of a chat request (`POST /chat`), and their validation."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.cli.field_types import (
    LEAST_BUDGET,
    LONGEST_TIME,
    LONGEST_TITLE,
    MOST_BUDGET,
    MOST_TURNS,
    Effort,
    Env,
    Items,
    KeepAlive,
    MessageId,
    Name,
    SessionId,
    SettingSources,
    Time,
    Title,
)
from app.errors import ConflictingFields, InvalidRequest
from app.json_body import read_object, validate

#: The fields that are lists, objects, switches and numbers. In a query or header they are texts.
LISTS = {
    "tools",
    "allowed_tools",
    "disallowed_tools",
    "mcp_config",
    "add_dir",
    "plugin_dir",
    "setting_sources",
    "betas",
}
OBJECTS = {"json_schema", "agents", "env"}
SWITCHES = {
    "fork_session",
    "include_partial_messages",
    "include_hook_events",
    "session_persistence",
    "restricted",
    "disable_slash_commands",
    "strict_mcp_config",
    "verbose",
    "detach",
    "ask",
}
NUMBERS = {
    "max_turns",
    "max_budget_usd",
    "ask_timeout",
    "background_wait",
    "timeout",
    "idle_timeout",
}

#: The permission mode in which everything is allowed.
BYPASS = "bypassPermissions"

_Complaint = tuple[tuple[str | int, ...], str, str]


class ChatRequest(BaseModel):
    """A job. Only `prompt` and `cwd` are needed; the CLI chooses what is omitted or null."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1, description="What Claude should do; not blank.")
    cwd: str = Field(
        min_length=1,
        description="The folder in which Claude works: an absolute path on the gateway's machine.",
        # Only documented: anything that is not a directory has another error (bad_directory).
        json_schema_extra={"pattern": "^/"},
    )
    model: Name | None = Field(
        None,
        description="An alias, such as `sonnet`, or a full name. Omitted: DEFAULT_MODEL. null: the"
        " CLI's default.",
        examples=["sonnet"],
    )
    fallback_model: Name | None = Field(
        None, description="The model to use if `model` is overloaded."
    )
    session_id: SessionId | None = Field(
        None,
        description="The session to continue: the `session_id` of an earlier job. Omitted or empty:"
        " a new session.",
        json_schema_extra={"format": "uuid"},
    )
    fork_session: bool | None = Field(
        None, description="Continue in a copy of the session, and leave the session as it is."
    )
    new_session_id: SessionId | None = Field(
        None,
        description="The id for the new session: a UUID that no session has yet. Together with"
        " `session_id`, it needs `fork_session`.",
        json_schema_extra={"format": "uuid"},
    )
    resume_session_at: MessageId | None = Field(
        None,
        description="Continue the session after this message of Claude's, and leave out the later"
        " ones: the `uuid` of a line of type `assistant`. Needs `session_id`.",
        json_schema_extra={"format": "uuid"},
    )
    session_persistence: bool | None = Field(
        None, description="false: the session is not saved, so it cannot be continued."
    )
    system_prompt: str | None = Field(None, description="Replaces the CLI's system prompt.")
    append_system_prompt: str | None = Field(
        None, description="Added to the end of the system prompt."
    )
    tools: Items | None = Field(
        None,
        description="The tools that Claude has, such as `Read`; [] for none. Omitted: all.",
        examples=[["Read", "Grep"]],
    )
    allowed_tools: Items | None = Field(
        None,
        description="Tools that Claude may use without permission, such as `Edit` or"
        " `Bash(git:*)`.",
        examples=[["Read", "Edit", "Bash(git:*)"]],
    )
    disallowed_tools: Items | None = Field(None, description="Tools that Claude may not use.")
    permission_mode: Name | None = Field(
        None,
        description="How the CLI decides what Claude may do, such as `default`, `acceptEdits` or"
        " `plan`. Omitted: DEFAULT_PERMISSION_MODE; if that is empty, everything is allowed unless"
        " `tools` or `allowed_tools` has an item.",
        examples=["acceptEdits"],
    )
    restricted: bool | None = Field(
        None,
        description="Claude has no tools that run commands, and uses files only in the working"
        " directories. The CLI's settings of the user and the project do not apply.",
    )
    mcp_config: Items | None = Field(
        None, description="MCP servers: each item is the path of a file, or JSON."
    )
    strict_mcp_config: bool | None = Field(
        None, description="Use only the MCP servers in `mcp_config`."
    )
    settings: str | None = Field(
        None, description="Settings for the CLI: the path of a file, or JSON."
    )
    setting_sources: SettingSources | None = Field(
        None, description="Which of the CLI's settings files apply; [] for none."
    )
    env: Env | None = Field(
        None,
        description="Environment variables for the commands that Claude runs. Names that steer the"
        " CLI or the loading of programs are refused, unless ENV_ALLOWED has them.",
        examples=[{"CI": "true"}],
    )
    add_dir: Items | None = Field(None, description="More folders that Claude may use.")
    plugin_dir: Items | None = Field(None, description="Folders of plugins to load.")
    debug: bool | str | None = Field(
        None, description="Whether the CLI logs to standard error; a text filters what it logs."
    )
    verbose: bool | None = Field(None, description="Has no effect: the CLI is always verbose.")
    max_turns: int | None = Field(
        None,
        ge=1,
        le=MOST_TURNS,
        description="How often the model may be called; then the job ends as `failed`.",
    )
    max_budget_usd: float | None = Field(
        None,
        ge=LEAST_BUDGET,
        le=MOST_BUDGET,
        description="What the job may cost in US dollars; then it ends as `failed`.",
    )
    effort: Effort | None = Field(None, description="How much the model thinks before it answers.")
    betas: Items | None = Field(None, description="Beta features of the model's API, by name.")
    agent: Name | None = Field(None, description="The name of the agent that does the job.")
    name: Title | None = Field(
        None,
        description="The session's name in the CLI. All users of the gateway's machine can see it"
        " in the list of processes.",
    )
    disable_slash_commands: bool | None = Field(
        None, description="Turn off the CLI's slash commands and skills."
    )
    json_schema: dict[str, Any] | None = Field(
        None, description="A JSON Schema that the answer must match."
    )
    agents: dict[str, Any] | None = Field(
        None,
        description="Agents that Claude can give work to, by name.",
        examples=[{"reviewer": {"description": "Reviews code", "prompt": "You review code."}}],
    )
    include_partial_messages: bool | None = Field(
        None, description="Also stream the answer piece by piece, while the model writes it."
    )
    include_hook_events: bool | None = Field(None, description="Also stream the events of hooks.")
    title: Title | None = Field(
        None,
        description="The job's name in lists. Omitted: the first line of the prompt.",
    )
    detach: bool | None = Field(
        None,
        description="The job continues when the client disconnects. Otherwise, it is then"
        " cancelled.",
    )
    timeout: float | None = Field(
        None,
        gt=0,
        description="Seconds after which the job ends as `timed_out`; at most JOB_TIMEOUT.",
    )
    idle_timeout: float | None = Field(
        None,
        gt=0,
        description="Seconds without output after which the job ends as `timed_out`; at most"
        " JOB_IDLE_TIMEOUT.",
    )
    ask: bool | None = Field(
        None,
        description="The job waits for a client's answer when Claude needs a permission or has a"
        " question; see `GET /questions`. Without `permission_mode`, the mode is then `default`.",
    )
    ask_timeout: float | None = Field(
        None,
        gt=0,
        le=LONGEST_TIME,
        description="Seconds that a question waits for an answer; then it is denied. Omitted:"
        " ASK_TIMEOUT.",
    )
    keep_alive: KeepAlive | None = Field(
        None,
        description="How long the CLI's process stays after the job, so that the session's next job"
        " starts faster: seconds, or a text such as `90s`, `5m` or `1h`. 0: it ends with the job."
        " -1: as long as MAX_KEEP_ALIVE allows. Omitted: KEEP_ALIVE. A process that cannot stay"
        " ends with the job.",
        examples=["5m", 300],
    )
    background_wait: Time | None = Field(
        None,
        description="Seconds that commands in the background may run after the answer; then they"
        " are ended. Omitted: BACKGROUND_WAIT; with `keep_alive`, they run as long as the"
        " process stays.",
    )


def title_of(prompt: str) -> str:
    r"""The title of a job with this prompt: the first line that is not blank.

    >>> title_of("\n  Fix the test.\nThen commit.")
    'Fix the test.'
    """
    return prompt.lstrip().partition("\n")[0].rstrip()[:LONGEST_TITLE]


def read_request(body: bytes) -> ChatRequest:
    """The request in a JSON body. Raises InvalidRequest and ConflictingFields."""
    return read_fields(read_object(body))


def read_fields(fields: Mapping[str, Any]) -> ChatRequest:
    """The request with these fields.

    Raises InvalidRequest, which names each invalid field, and ConflictingFields.
    """
    request = validate(ChatRequest, fields)
    for location, kind, message in _unusable(request.model_dump(), ()):
        raise InvalidRequest.of(kind, ("body", *location), message)
    if not request.prompt.strip():
        raise InvalidRequest.of("blank_prompt", ("body", "prompt"), "The prompt is blank")
    _check_together(request)
    return request


def _check_together(request: ChatRequest) -> None:
    """Check what the CLI would refuse or misunderstand. Raises ConflictingFields."""
    if request.new_session_id and request.session_id and not request.fork_session:
        raise ConflictingFields("new_session_id", "new_session_id and session_id need fork_session")
    if request.resume_session_at and not request.session_id:
        raise ConflictingFields("resume_session_at", "resume_session_at needs session_id")
    if request.restricted and request.permission_mode == BYPASS:
        raise ConflictingFields("permission_mode", f"restricted excludes permission_mode {BYPASS}")
    if request.keep_alive and request.session_persistence is False:
        raise ConflictingFields("keep_alive", "keep_alive needs a session that is saved")


def _unusable(value: object, path: tuple[str | int, ...]) -> Iterator[_Complaint]:
    """Each NUL, which no argument can contain, and each number that JSON cannot represent."""
    if isinstance(value, str) and "\0" in value:
        yield path, "nul_character", "Text must not contain a NUL"
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, "finite_number", "Numbers must be finite"
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _unusable(key, path)
            yield from _unusable(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _unusable(below, (*path, index))
