"""What a client may ask of the CLI: the body of `POST /chat`."""

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

#: Members of a list, and characters of the name of a model or a mode.
MOST_LISTED = 1000
LONGEST_NAME = 500
#: Characters of a job's title.
LONGEST_TITLE = 200

#: The fields that are lists, and those that are objects, for who reads them from text.
LISTS = {"tools", "allowed_tools", "disallowed_tools", "mcp_config", "add_dir", "plugin_dir"}
OBJECTS = {"json_schema", "agents"}

_Complaint = tuple[tuple[str | int, ...], str, str]

Item = Annotated[str, StringConstraints(min_length=1)]
# Of many wrong members one is reported.
Items = Annotated[list[Item], Field(max_length=MOST_LISTED, fail_fast=True)]
Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME)]


def _session_id(text: str) -> str:
    """A session's id. The CLI would also resume by title, another user's session included."""
    found = session_id_in(text)
    if text and found is None:
        raise PydanticCustomError(
            "no_session_id", "Must be a UUID, like session_id in the done event, and not a title"
        )
    return found or ""


SessionId = Annotated[str, AfterValidator(_session_id)]


class ChatRequest(BaseModel):
    """One run of the CLI. A field that is left out, or null, leaves the choice to the CLI."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1, description="What is said to Claude; not blank.")
    cwd: str = Field(
        min_length=1,
        description="Working directory: the full path of a folder on the gateway's machine.",
        # Said, not checked: what is no directory here has an error of its own.
        json_schema_extra={"pattern": "^/"},
    )
    model: Name | None = Field(
        None, description="An alias or a full name; left out, DEFAULT_MODEL; null, the CLI's own."
    )
    fallback_model: Name | None = Field(None, description="The model to use if that one is busy.")
    session_id: SessionId | None = Field(
        None,
        description="The session to continue: a UUID; empty is the same as none.",
        json_schema_extra={"format": "uuid"},
    )
    fork_session: bool | None = Field(None, description="Continue it under a new id.")
    system_prompt: str | None = Field(None, description="Replaces the CLI's system prompt.")
    append_system_prompt: str | None = Field(None, description="Is added to the system prompt.")
    tools: Items | None = Field(None, description="The tools there are; [] means none.")
    allowed_tools: Items | None = Field(None, description="Tools used without asking.")
    disallowed_tools: Items | None = Field(None, description="Tools that are denied.")
    permission_mode: Name | None = Field(None, description="The CLI's permission mode.")
    mcp_config: Items | None = Field(None, description="MCP servers: paths or JSON texts.")
    strict_mcp_config: bool | None = Field(None, description="Only the servers of mcp_config.")
    settings: str | None = Field(None, description="Settings of the CLI: a path or a JSON text.")
    add_dir: Items | None = Field(None, description="More folders that tools may reach.")
    plugin_dir: Items | None = Field(None, description="Folders to load plugins from.")
    debug: bool | str | None = Field(None, description="Debug output on stderr, or its filter.")
    verbose: bool | None = Field(None, description="Accepted; the CLI is always verbose.")
    json_schema: dict[str, Any] | None = Field(None, description="The schema of the answer.")
    agents: dict[str, Any] | None = Field(None, description="Custom agents by name.")
    include_partial_messages: bool | None = Field(
        None, description="Also the pieces of the answer, as the model makes them."
    )
    title: str | None = Field(
        None,
        max_length=LONGEST_TITLE,
        description="What the job is called in lists; left out, the prompt's first line.",
    )
    detach: bool | None = Field(None, description="The client's going away does not end the job.")
    timeout: float | None = Field(None, gt=0, description="Seconds that the job may take.")
    idle_timeout: float | None = Field(None, gt=0, description="Seconds that it may be silent.")


def title_of(prompt: str) -> str:
    r"""What a job with this prompt is called: its first line that is not blank.

    >>> title_of("\n  Fix the test.\nThen commit.")
    'Fix the test.'
    """
    return prompt.lstrip().partition("\n")[0].rstrip()[:LONGEST_TITLE]


def read_request(body: bytes) -> ChatRequest:
    """The request in a JSON body. Raises InvalidRequest, which names each wrong field."""
    return read_fields(read_object(body))


def read_fields(fields: Mapping[str, Any]) -> ChatRequest:
    """The request that these fields make. Raises InvalidRequest, which names each wrong one."""
    request = validate(ChatRequest, fields)
    for location, kind, message in _unusable(request.model_dump(), ()):
        raise InvalidRequest.of(kind, ("body", *location), message)
    if not request.prompt.strip():
        raise InvalidRequest.of("blank_prompt", ("body", "prompt"), "The prompt is blank")
    return request


def _unusable(value: object, path: tuple[str | int, ...]) -> Iterator[_Complaint]:
    """Where a NUL is, which no argument can hold, or a number that JSON cannot carry."""
    if isinstance(value, str) and "\0" in value:
        yield path, "nul_character", "Text must not hold a NUL"
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, "finite_number", "Numbers must be finite"
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _unusable(key, path)
            yield from _unusable(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _unusable(below, (*path, index))
