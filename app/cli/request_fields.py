"""The fields of a chat request (`POST /chat`), and their validation."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from app.cli.transcripts import session_id_in
from app.errors import InvalidRequest
from app.json_body import read_object, validate

#: Items of a list; characters of the name of a model or a mode.
MOST_LISTED = 1000
LONGEST_NAME = 500
#: Characters of a job's title.
LONGEST_TITLE = 200

#: The fields that are lists, and those that are objects.
LISTS = {"tools", "allowed_tools", "disallowed_tools", "mcp_config", "add_dir", "plugin_dir"}
OBJECTS = {"json_schema", "agents"}

_Complaint = tuple[tuple[str | int, ...], str, str]

Item = Annotated[str, StringConstraints(min_length=1)]
# Of many invalid items, one is reported.
Items = Annotated[list[Item], Field(max_length=MOST_LISTED, fail_fast=True)]
Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME)]


def _session_id(text: str) -> str:
    """A session id. The CLI would also accept a title, even of another user's session."""
    found = session_id_in(text)
    if text and found is None:
        raise PydanticCustomError(
            "no_session_id", "Must be a UUID, like session_id in the done event"
        )
    return found or ""


SessionId = Annotated[str, AfterValidator(_session_id)]


class ChatRequest(BaseModel):
    """A job for the CLI. A field that is omitted or null leaves the choice to the CLI."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1, description="The message to Claude; not blank.")
    cwd: str = Field(
        min_length=1,
        description="Working directory: the absolute path of a directory on the gateway's machine.",
        # Only documented: anything that is not a directory has another error (bad_directory).
        json_schema_extra={"pattern": "^/"},
    )
    model: Name | None = Field(
        None, description="An alias or full name. Omitted: DEFAULT_MODEL; null: the CLI's default."
    )
    fallback_model: Name | None = Field(
        None, description="The model to use if `model` is overloaded."
    )
    session_id: SessionId | None = Field(
        None,
        description="The session to continue: a UUID. Empty: a new session.",
        json_schema_extra={"format": "uuid"},
    )
    fork_session: bool | None = Field(None, description="Continue the session under a new id.")
    system_prompt: str | None = Field(None, description="Replaces the CLI's system prompt.")
    append_system_prompt: str | None = Field(None, description="Appended to the system prompt.")
    tools: Items | None = Field(None, description="The available tools; [] for none.")
    allowed_tools: Items | None = Field(None, description="Tools that need no permission.")
    disallowed_tools: Items | None = Field(None, description="Tools that are denied.")
    permission_mode: Name | None = Field(None, description="The CLI's permission mode.")
    mcp_config: Items | None = Field(None, description="MCP servers: paths or JSON.")
    strict_mcp_config: bool | None = Field(None, description="Use only the servers of mcp_config.")
    settings: str | None = Field(None, description="Settings of the CLI: a path or JSON.")
    add_dir: Items | None = Field(None, description="More directories for the tools.")
    plugin_dir: Items | None = Field(None, description="Directories to load plugins from.")
    debug: bool | str | None = Field(
        None, description="Debug output on stderr, or a filter for it."
    )
    verbose: bool | None = Field(None, description="Accepted; the CLI is always verbose.")
    json_schema: dict[str, Any] | None = Field(None, description="The JSON Schema of the answer.")
    agents: dict[str, Any] | None = Field(None, description="Custom agents, by name.")
    include_partial_messages: bool | None = Field(
        None, description="Also stream parts of the answer while the model generates it."
    )
    title: str | None = Field(
        None,
        max_length=LONGEST_TITLE,
        description="The job's name in lists. Omitted: the first line of the prompt.",
    )
    detach: bool | None = Field(None, description="The job goes on when the client disconnects.")
    timeout: float | None = Field(None, gt=0, description="Time limit in seconds.")
    idle_timeout: float | None = Field(None, gt=0, description="Limit in seconds without output.")


def title_of(prompt: str) -> str:
    r"""The title of a job with this prompt: the first line that is not blank.

    >>> title_of("\n  Fix the test.\nThen commit.")
    'Fix the test.'
    """
    return prompt.lstrip().partition("\n")[0].rstrip()[:LONGEST_TITLE]


def read_request(body: bytes) -> ChatRequest:
    """The request in a JSON body. Raises InvalidRequest, which names each invalid field."""
    return read_fields(read_object(body))


def read_fields(fields: Mapping[str, Any]) -> ChatRequest:
    """The request with these fields. Raises InvalidRequest, which names each invalid field."""
    request = validate(ChatRequest, fields)
    for location, kind, message in _unusable(request.model_dump(), ()):
        raise InvalidRequest.of(kind, ("body", *location), message)
    if not request.prompt.strip():
        raise InvalidRequest.of("blank_prompt", ("body", "prompt"), "The prompt is blank")
    return request


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
