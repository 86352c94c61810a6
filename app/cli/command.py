"""The CLI's command for a chat request: its flags, its standard input, and the files it reads.

Pure. Written against `claude --help` of the versions 2.1.197 to 2.1.330.

Every value is joined to its flag with `=`, so that a value that begins with a dash does not
become a flag. What may contain a secret or a user's text is passed in a file or on standard
input, because every user of the machine can read a command line.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.cli import control
from app.cli.request_fields import ChatRequest
from app.errors import InvalidRequest

#: Bytes of the longest argument that the kernel accepts, with its NUL (execve(2)).
LONGEST_ARGUMENT = 128 * 1024
#: Bytes of all arguments together; the kernel's own limit is a quarter of the stack's limit.
LONGEST_COMMAND = 1024 * 1024
#: From this version on, `--agents` is known to accept a file; before, it accepted only JSON.
AGENTS_FROM_FILE = (2, 1, 330)

# Keeps messages of other jobs out of a job's conversation: by default (2.1.224 on), every session
# of the same user can send some. A later --settings replaces an earlier one as a whole.
_MESSAGES = "crossSessionInbound"
_REFUSED = f'"{_MESSAGES}":"refuse"'

#: An argument; or a flag, with the name of the command's file whose path is its value.
Argument = str | dict[str, str]

_ALWAYS: tuple[Argument, ...] = (
    "--print",
    "--output-format=stream-json",
    "--input-format=stream-json",
    "--verbose",
)


@dataclass(frozen=True)
class Command:
    """What to run, as plain data that depends on no machine and no binary."""

    arguments: list[Argument]
    input: bytes
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Defaults:
    """The operator's choices for requests that leave them open; `mcp_config` is for all requests.

    It is the absolute path of a file.
    """

    model: str | None
    permission_mode: str | None
    mcp_config: str | None = None


@dataclass(frozen=True)
class Extras:
    """Options for which `POST /chat` has no field.

    `content` is the user's message in blocks of the Messages API, in place of the prompt.
    `new_session` is the id (a UUID) for a new session. With `partial_messages` the CLI also
    prints the answer while it is generated, as lines of type `stream_event`.
    """

    content: list[dict[str, Any]] | None = None
    new_session: str | None = None
    partial_messages: bool = False


class _InFile(NamedTuple):
    """A flag whose value the CLI reads from a file."""

    flag: str
    text: str


_Writer = Callable[[Any], Iterator[str | _InFile]]


def build(
    request: ChatRequest,
    defaults: Defaults,
    version: tuple[int, ...],
    extras: Extras = Extras(),
) -> Command:
    """The command for a request, for this version of the CLI.

    Raises InvalidRequest for a value that is too long for a command line.
    """
    arguments = [*_ALWAYS]
    files: dict[str, bytes] = {}
    for name, write in _writers(version).items():
        value = effective_model(request, defaults) if name == "model" else getattr(request, name)
        for argument in () if value is None else write(value):
            if isinstance(argument, _InFile):
                file = f"{name}.{len(files)}"
                files[file] = argument.text.encode()
                arguments.append({"flag": argument.flag, "file": file})
            else:
                _refuse_long(name, argument)
                arguments.append(argument)
    if not request.settings:
        arguments.append(f"--settings={refuse_messages('{}')}")
    for argument in _permission(request, defaults):
        _refuse_long("permission_mode", argument)
        arguments.append(argument)
    if defaults.mcp_config:
        arguments.append(f"--mcp-config={defaults.mcp_config}")
    if extras.new_session:
        arguments.append(f"--session-id={extras.new_session}")
    if extras.partial_messages and not request.include_partial_messages:
        arguments.append("--include-partial-messages")
    if sum(len(str(argument).encode()) for argument in arguments) > LONGEST_COMMAND:
        raise InvalidRequest.of(
            "too_long", ("body",), f"The options exceed {LONGEST_COMMAND} bytes together"
        )
    return Command(arguments, control.message(extras.content or request.prompt), files)


def refuse_messages(settings: str) -> str:
    """Settings of the CLI, a JSON object, changed to refuse messages of other sessions.

    A setting of theirs for that stays, and so does a text that is not an object.

    >>> refuse_messages('{"env": {}}'), refuse_messages("{}")
    ('{"crossSessionInbound":"refuse","env": {}}', '{"crossSessionInbound":"refuse"}')
    """
    before, brace, rest = settings.partition("{")
    if before.strip() or not brace or f'"{_MESSAGES}"' in rest:
        return settings
    separator = "" if rest.lstrip().startswith("}") else ","
    return f"{{{_REFUSED}{separator}{rest}"


def effective_model(request: ChatRequest, defaults: Defaults) -> str | None:
    """The model that a request runs with; None leaves the choice to the CLI.

    A `model` of null asks for the CLI's own, whatever the default is.
    """
    return request.model if "model" in request.model_fields_set else defaults.model


def _permission(request: ChatRequest, defaults: Defaults) -> Iterator[str]:
    """Without a permission mode and without a list of tools, everything is allowed."""
    if request.permission_mode:
        yield f"--permission-mode={request.permission_mode}"
    elif defaults.permission_mode:
        yield f"--permission-mode={defaults.permission_mode}"
    elif not request.tools and not request.allowed_tools:
        yield "--dangerously-skip-permissions"


def _value(flag: str) -> _Writer:
    def write(value: str) -> Iterator[str]:
        if value:
            yield f"{flag}={value}"

    return write


def _switch(flag: str) -> _Writer:
    def write(value: bool) -> Iterator[str]:
        if value:
            yield flag

    return write


def _joined(flag: str) -> _Writer:
    def write(values: Sequence[str]) -> Iterator[str]:
        yield f"{flag}={','.join(values)}"

    return write


def _repeated(flag: str) -> _Writer:
    def write(values: Sequence[str]) -> Iterator[str]:
        yield from (f"{flag}={value}" for value in values)

    return write


def _json(flag: str) -> _Writer:
    def write(value: object) -> Iterator[str]:
        yield f"{flag}={json.dumps(value)}"

    return write


def _text_in_file(flag: str) -> _Writer:
    def write(value: str) -> Iterator[_InFile]:
        if value:
            yield _InFile(flag, value)

    return write


def _json_in_file(flag: str) -> _Writer:
    def write(value: object) -> Iterator[_InFile]:
        yield _InFile(flag, json.dumps(value))

    return write


def _path_or_json(flag: str, change: Callable[[str], str] = lambda text: text) -> _Writer:
    """A text that begins with a brace is JSON, and is passed in a file; any other is a path."""

    def write(value: str | list[str]) -> Iterator[str | _InFile]:
        for text in [value] if isinstance(value, str) else value:
            if text.lstrip().startswith("{"):
                yield _InFile(flag, change(text))
            elif text:
                yield f"{flag}={text}"

    return write


def _debug(value: bool | str) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield f"--debug={value}"
    elif value is True:
        yield "--debug"


# Request field: how its flag is written. prompt, cwd, title and verbose have no flag;
# permission_mode depends on other fields, see _permission.
_TABLE: dict[str, _Writer] = {
    "model": _value("--model"),
    "fallback_model": _value("--fallback-model"),
    "session_id": _value("--resume"),
    "fork_session": _switch("--fork-session"),
    "system_prompt": _text_in_file("--system-prompt-file"),
    "append_system_prompt": _text_in_file("--append-system-prompt-file"),
    "tools": _joined("--tools"),
    "allowed_tools": _repeated("--allowed-tools"),
    "disallowed_tools": _repeated("--disallowed-tools"),
    "mcp_config": _path_or_json("--mcp-config"),
    "strict_mcp_config": _switch("--strict-mcp-config"),
    "settings": _path_or_json("--settings", refuse_messages),
    "add_dir": _repeated("--add-dir"),
    "plugin_dir": _repeated("--plugin-dir"),
    "debug": _debug,
    "include_partial_messages": _switch("--include-partial-messages"),
    "json_schema": _json("--json-schema"),
    "agents": _json_in_file("--agents"),
}


def _writers(version: tuple[int, ...]) -> dict[str, _Writer]:
    if version >= AGENTS_FROM_FILE:
        return _TABLE
    return {**_TABLE, "agents": _json("--agents")}


def _refuse_long(name: str, argument: str) -> None:
    if len(argument.encode()) >= LONGEST_ARGUMENT:
        raise InvalidRequest.of(
            "too_long", ("body", name), f"This exceeds {LONGEST_ARGUMENT} bytes on a command line"
        )
