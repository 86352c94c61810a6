"""A chat request as the CLI takes it: its flags, its standard input, and the files it reads.

Pure. Written against `claude --help` of the versions 2.1.197 to 2.1.330.

Every value is joined to its flag with `=`, so that none that begins with a dash becomes a
flag. What may hold a secret or a user's words goes by a file or by standard input, because
every user of the machine can read a command line.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.cli.request import ChatRequest
from app.errors import InvalidRequest

#: The longest argument that the kernel takes, with its NUL (MAX_ARG_STRLEN of execve(2)).
LONGEST_ARGUMENT = 128 * 1024
#: Bytes of all arguments together; the kernel's own limit is a quarter of the stack's.
LONGEST_COMMAND = 1024 * 1024
#: From this version on, the CLI is known to take a file where `--agents` took JSON alone.
AGENTS_FROM_FILE = (2, 1, 330)

# Keeps the messages of other jobs out of a job's conversation: with the CLI's default (2.1.224 on)
# every session of the same user may send some. A later --settings replaces an earlier one whole.
_MESSAGES = "crossSessionInbound"
_REFUSED = f'"{_MESSAGES}":"refuse"'

#: An argument, or a flag whose value is the path of one of the command's files.
Argument = str | dict[str, str]

_ALWAYS: tuple[Argument, ...] = (
    "--print",
    "--output-format=stream-json",
    "--input-format=stream-json",
    "--verbose",
)


@dataclass(frozen=True)
class Command:
    """What to run, as plain data: nothing in it belongs to one machine or one binary."""

    arguments: list[Argument]
    input: bytes
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Defaults:
    """What the operator chose: for requests that do not say, and `mcp_config` for all.

    The latter is the full path of a file.
    """

    model: str | None
    permission_mode: str | None
    mcp_config: str | None = None


@dataclass(frozen=True)
class Extras:
    """What no field of `POST /chat` says.

    `content` is the user's message in blocks of the Messages API, in place of the prompt.
    `new_session` is the id (a UUID) that a new session shall have. With `partial_messages` the
    CLI also writes what the model says while it says it, as lines of type `stream_event`.
    """

    content: list[dict[str, Any]] | None = None
    new_session: str | None = None
    partial_messages: bool = False


class _ByFile(NamedTuple):
    """A flag whose value the CLI shall read from a file."""

    flag: str
    text: str


_Writer = Callable[[Any], Iterator[str | _ByFile]]


def build(
    request: ChatRequest,
    defaults: Defaults,
    version: tuple[int, ...],
    extras: Extras = Extras(),
) -> Command:
    """The command for a request, for a CLI of this version.

    Raises InvalidRequest for a value that no command line can hold.
    """
    arguments = [*_ALWAYS]
    files: dict[str, bytes] = {}
    for name, write in _writers(version).items():
        value = effective_model(request, defaults) if name == "model" else getattr(request, name)
        for written in () if value is None else write(value):
            if isinstance(written, _ByFile):
                file = f"{name}.{len(files)}"
                files[file] = written.text.encode()
                arguments.append({"flag": written.flag, "file": file})
            else:
                _refuse_long(name, written)
                arguments.append(written)
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
    return Command(arguments, user_message(extras.content or request.prompt), files)


def refuse_messages(settings: str) -> str:
    """Settings of the CLI, a JSON object, with messages of other sessions refused.

    What they say of that themselves stays, and a text that is no object stays as it is.

    >>> refuse_messages('{"env": {}}'), refuse_messages("{}")
    ('{"crossSessionInbound":"refuse","env": {}}', '{"crossSessionInbound":"refuse"}')
    """
    before, brace, rest = settings.partition("{")
    if before.strip() or not brace or f'"{_MESSAGES}"' in rest:
        return settings
    separator = "" if rest.lstrip().startswith("}") else ","
    return f"{{{_REFUSED}{separator}{rest}"


def user_message(content: str | list[dict[str, Any]]) -> bytes:
    r"""A user's message, a text or blocks, as a line of stream-json input.

    >>> user_message("hi")
    b'{"type": "user", "message": {"role": "user", "content": "hi"}}\n'
    """
    message = {"type": "user", "message": {"role": "user", "content": content}}
    return json.dumps(message).encode() + b"\n"


def effective_model(request: ChatRequest, defaults: Defaults) -> str | None:
    """The model that a request runs with; None leaves the choice to the CLI.

    A `model` of null asks for the CLI's own, whatever the default is.
    """
    return request.model if "model" in request.model_fields_set else defaults.model


def _permission(request: ChatRequest, defaults: Defaults) -> Iterator[str]:
    """Without a mode and without a list of tools, the caller relies on all being allowed."""
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


def _text_by_file(flag: str) -> _Writer:
    def write(value: str) -> Iterator[_ByFile]:
        if value:
            yield _ByFile(flag, value)

    return write


def _json_by_file(flag: str) -> _Writer:
    def write(value: object) -> Iterator[_ByFile]:
        yield _ByFile(flag, json.dumps(value))

    return write


def _path_or_json(flag: str, change: Callable[[str], str] = lambda text: text) -> _Writer:
    """A text that begins with a brace is JSON and goes by a file; another is a path."""

    def write(value: str | list[str]) -> Iterator[str | _ByFile]:
        for text in [value] if isinstance(value, str) else value:
            if text.lstrip().startswith("{"):
                yield _ByFile(flag, change(text))
            elif text:
                yield f"{flag}={text}"

    return write


def _debug(value: bool | str) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield f"--debug={value}"
    elif value is True:
        yield "--debug"


# Request field → how it is written. prompt, cwd, title and verbose are no flags; permission_mode
# depends on other fields, see _permission.
_TABLE: dict[str, _Writer] = {
    "model": _value("--model"),
    "fallback_model": _value("--fallback-model"),
    "session_id": _value("--resume"),
    "fork_session": _switch("--fork-session"),
    "system_prompt": _text_by_file("--system-prompt-file"),
    "append_system_prompt": _text_by_file("--append-system-prompt-file"),
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
    "agents": _json_by_file("--agents"),
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
