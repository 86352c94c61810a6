"""The flags of the CLI for the fields of a chat request. Pure.

Every value is joined to its flag with `=`, so that a value that begins with a dash does not
become a flag.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.cli import job_settings
from app.cli.capabilities import AGENTS_IN_FILE, Capabilities


class InFile(NamedTuple):
    """A flag whose value the CLI reads from a file."""

    flag: str
    text: str


#: Makes the options of a field's value.
Writer = Callable[[Any], Iterator[str | InFile]]


def _value(flag: str) -> Writer:
    def write(value: str) -> Iterator[str]:
        if value:
            yield f"{flag}={value}"

    return write


def _switch(flag: str) -> Writer:
    def write(value: bool) -> Iterator[str]:
        if value:
            yield flag

    return write


def _joined(flag: str) -> Writer:
    def write(values: Sequence[str]) -> Iterator[str]:
        yield f"{flag}={','.join(values)}"

    return write


def _repeated(flag: str) -> Writer:
    def write(values: Sequence[str]) -> Iterator[str]:
        yield from (f"{flag}={value}" for value in values)

    return write


def _json(flag: str) -> Writer:
    def write(value: object) -> Iterator[str]:
        yield f"{flag}={json.dumps(value)}"

    return write


def _text_in_file(flag: str) -> Writer:
    def write(value: str) -> Iterator[InFile]:
        if value:
            yield InFile(flag, value)

    return write


def _json_in_file(flag: str) -> Writer:
    def write(value: object) -> Iterator[InFile]:
        yield InFile(flag, json.dumps(value))

    return write


def _paths_or_json(flag: str) -> Writer:
    """Each text is a path, or JSON, which is passed in a file."""

    def write(values: Sequence[str]) -> Iterator[str | InFile]:
        for text in values:
            yield InFile(flag, text) if job_settings.is_json(text) else f"{flag}={text}"

    return write


def _unless(flag: str) -> Writer:
    """A flag that turns off what the field turns on."""

    def write(value: bool) -> Iterator[str]:
        if not value:
            yield flag

    return write


def _dollars(flag: str) -> Writer:
    def write(value: float) -> Iterator[str]:
        yield f"{flag}={f'{value:.6f}'.rstrip('0').rstrip('.')}"

    return write


def _number(flag: str) -> Writer:
    def write(value: int) -> Iterator[str]:
        yield f"{flag}={value}"

    return write


def _debug(value: bool | str) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield f"--debug={value}"
    elif value is True:
        yield "--debug"


# Request field: how its flag is written. permission_mode, settings and env depend on each other and
# on others, see _permission and _settings. The remaining fields have no flag.
_TABLE: dict[str, Writer] = {
    "model": _value("--model"),
    "fallback_model": _value("--fallback-model"),
    "session_id": _value("--resume"),
    "fork_session": _switch("--fork-session"),
    "new_session_id": _value("--session-id"),
    "resume_session_at": _value("--resume-session-at"),
    "session_persistence": _unless("--no-session-persistence"),
    "system_prompt": _text_in_file("--system-prompt-file"),
    "append_system_prompt": _text_in_file("--append-system-prompt-file"),
    "tools": _joined("--tools"),
    "allowed_tools": _repeated("--allowed-tools"),
    "disallowed_tools": _repeated("--disallowed-tools"),
    "restricted": _switch("--restricted"),
    "mcp_config": _paths_or_json("--mcp-config"),
    "strict_mcp_config": _switch("--strict-mcp-config"),
    "setting_sources": _joined("--setting-sources"),
    "add_dir": _repeated("--add-dir"),
    "plugin_dir": _repeated("--plugin-dir"),
    "debug": _debug,
    "max_turns": _number("--max-turns"),
    "max_budget_usd": _dollars("--max-budget-usd"),
    "effort": _value("--effort"),
    "betas": _repeated("--betas"),
    "agent": _value("--agent"),
    "name": _value("--name"),
    "disable_slash_commands": _switch("--disable-slash-commands"),
    "include_partial_messages": _switch("--include-partial-messages"),
    "include_hook_events": _switch("--include-hook-events"),
    "ask": _switch("--permission-prompt-tool=stdio"),
    "json_schema": _json("--json-schema"),
    "agents": _json_in_file("--agents"),
}


def writers(capabilities: Capabilities) -> Mapping[str, Writer]:
    """The fields with their writers, for a CLI with these capabilities."""
    if capabilities is not None and AGENTS_IN_FILE in capabilities:
        return _TABLE
    return {**_TABLE, "agents": _json("--agents")}
