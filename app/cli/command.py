"""The CLI's command for a chat request: its flags, its standard input, and the files it reads.

Pure. Written against `claude --help` of the versions 2.1.197 to 2.1.330.

What may contain a secret or a user's text is passed in a file or on standard input, because every
user of the machine can read a command line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.cli import control, job_settings
from app.cli.capabilities import PROMPT_SNAPSHOT, PROMPT_SNAPSHOT_FLAG, Capabilities
from app.cli.flags import InFile, writers
from app.cli.request_fields import BYPASS, ChatRequest
from app.errors import InvalidRequest

#: Bytes of the longest argument that the kernel accepts, with its NUL (execve(2)).
LONGEST_ARGUMENT = 128 * 1024
#: Bytes of all arguments together; the kernel's own limit is a quarter of the stack's limit.
LONGEST_COMMAND = 1024 * 1024

#: The name of the command's file with the tools of the client.
CLIENT_TOOLS = "client_tools"

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
    """What to run, as plain data that depends on no machine and no binary.

    `history` has the lines of the conversation before the message in `input`. `variables` are added
    to the environment.
    """

    arguments: list[Argument]
    input: bytes
    history: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


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

    `content` is the user's message in blocks of the Messages API, in place of the prompt, and
    `history` the conversation before it, in lines of `app.cli.control`.
    `new_session` is the id (a UUID) for a new session. With `partial_messages` the CLI also
    prints the answer while it is generated, as lines of type `stream_event`. `client_tools` are
    tools that the client carries out, as JSON for `app.runs.supervisor.client_tools`. `variables`
    are added to the environment. With `is_alone`, the operator's MCP servers are left out, and no
    message is a command of the CLI. With `new_system_prompt`, the system prompt of this command
    holds, whatever the session's was.
    """

    content: list[dict[str, Any]] | None = None
    history: bytes = b""
    new_session: str | None = None
    partial_messages: bool = False
    client_tools: bytes | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    is_alone: bool = False
    new_system_prompt: bool = False


def build(
    request: ChatRequest,
    defaults: Defaults,
    capabilities: Capabilities,
    extras: Extras = Extras(),
) -> Command:
    """The command for a request, for a CLI with these capabilities.

    Raises InvalidRequest for a value that is too long for a command line.
    """
    arguments = [*_ALWAYS]
    files: dict[str, bytes] = {}
    for name, option in _options(request, defaults, capabilities, extras):
        if isinstance(option, InFile):
            file = f"{name}.{len(files)}"
            files[file] = option.text.encode()
            arguments.append({"flag": option.flag, "file": file})
        else:
            _refuse_long(name, option)
            arguments.append(option)
    if sum(len(str(argument).encode()) for argument in arguments) > LONGEST_COMMAND:
        raise InvalidRequest.of(
            "too_long", ("body",), f"The options exceed {LONGEST_COMMAND} bytes together"
        )
    if extras.client_tools is not None:
        files[CLIENT_TOOLS] = extras.client_tools
    # The model of a client gets each text as it is.
    words = {"client_composed": True} if extras.is_alone else {}
    message = control.message(extras.content or request.prompt, **words)
    return Command(arguments, message, extras.history, files, extras.variables)


def _options(
    request: ChatRequest, defaults: Defaults, capabilities: Capabilities, extras: Extras
) -> Iterator[tuple[str, str | InFile]]:
    """Each option of the command, with the field that it is for."""
    for name, write in writers(capabilities).items():
        value = effective_model(request, defaults) if name == "model" else getattr(request, name)
        for option in () if value is None else write(value):
            yield name, option
    yield "settings", _settings(request)
    for option in _permission(request, defaults):
        yield "permission_mode", option
    if defaults.mcp_config and not extras.is_alone:
        yield "mcp_config", f"--mcp-config={defaults.mcp_config}"
    if extras.new_session:
        yield "new_session_id", f"--session-id={extras.new_session}"
    if extras.new_system_prompt and capabilities is not None and PROMPT_SNAPSHOT in capabilities:
        yield "system_prompt", f"{PROMPT_SNAPSHOT_FLAG}=off"
    if extras.partial_messages and not request.include_partial_messages:
        yield "include_partial_messages", "--include-partial-messages"


def effective_model(request: ChatRequest, defaults: Defaults) -> str | None:
    """The model that a request runs with; None leaves the choice to the CLI.

    A `model` of null asks for the CLI's own, whatever the default is.
    """
    return request.model if "model" in request.model_fields_set else defaults.model


def _settings(request: ChatRequest) -> str | InFile:
    """The settings of a request in a file: they may hold secrets, as `env` does."""
    settings = request.settings
    if not settings and not request.env:
        return f"--settings={job_settings.DEFAULT}"
    if not settings or job_settings.is_json(settings):
        return InFile("--settings", job_settings.with_env(settings, request.env))
    if request.env:
        raise InvalidRequest.of(
            "settings_file", ("body", "settings"), "Must be a readable file, because there is env"
        )
    return f"--settings={settings}"


def _permission(request: ChatRequest, defaults: Defaults) -> Iterator[str]:
    """Without a permission mode and without a list of tools, everything is allowed."""
    mode = request.permission_mode or ("default" if request.ask else defaults.permission_mode)
    if request.restricted and mode == BYPASS:
        # The operator's default. The CLI would refuse to start.
        mode = None
    if mode:
        yield f"--permission-mode={mode}"
    elif not request.tools and not request.allowed_tools and not request.restricted:
        yield "--dangerously-skip-permissions"


def _refuse_long(name: str, argument: str) -> None:
    if len(argument.encode()) >= LONGEST_ARGUMENT:
        raise InvalidRequest.of(
            "too_long", ("body", name), f"This exceeds {LONGEST_ARGUMENT} bytes on a command line"
        )
