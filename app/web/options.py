"""The options of a request that is not `POST /chat`'s body, whichever way they are told. Pure.

Any field of `POST /chat` but the prompt, its name with dashes or underscores, and

    workspace                      a folder of ours instead of `cwd`
    system                         what becomes of a system prompt: append or replace
    mcp_allowed_tools              more allowed tools
    dangerously_skip_permissions   true: permission mode bypassPermissions; false: default
    events                         whether what the agent does on the way is told
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from app.cli.request import LISTS, OBJECTS, ChatRequest
from app.errors import InvalidRequest

_OTHERS = {"workspace", "system", "mcp_allowed_tools", "dangerously_skip_permissions", "events"}
_NAMES = (set(ChatRequest.model_fields) | _OTHERS) - {"prompt"}
_LISTS = LISTS | {"mcp_allowed_tools"}
_SWITCHES = {
    "fork_session",
    "include_partial_messages",
    "strict_mcp_config",
    "verbose",
    "detach",
    "dangerously_skip_permissions",
    "events",
}
_HEADER = "X-CLAUDE-"
# name=value, alone on a line; the value may be JSON.
_LINE = re.compile(r"([a-z][a-z_-]*)=(.*)")
# Commas that part a list: not those between parentheses, as in Bash(git log, git diff).
_COMMA = re.compile(r",(?![^(]*\))")


class Options(NamedTuple):
    """What was asked for: `fields` are those of `POST /chat`."""

    fields: dict[str, Any]
    workspace: str | None
    system: str
    events: bool


def given(options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Options as JSON brings them, by their usual names.

    Raises InvalidRequest for one that is unknown: a mistyped one could widen what a job may do.
    `where` is the parameter that holds them, or empty.
    """
    return {
        _known(name, ("body", *([where] if where else []), name)): value
        for name, value in options.items()
    }


def in_headers(headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Options in headers like `X-Claude-Allowed-Tools: Read, Bash(git log)`."""
    options: dict[str, Any] = {}
    for header, value in headers:
        if header.upper().startswith(_HEADER):
            name = _known(header[len(_HEADER) :], ("headers", header))
            try:
                # A WSGI header's bytes arrive as Latin-1 (PEP 3333).
                options[name] = _read(name, value.encode("latin-1").decode())
            except ValueError:
                raise InvalidRequest.of(
                    "bad_header", ("headers", header), f"This is no value for {name!r}"
                ) from None
    return options


def in_prompt(text: str) -> tuple[dict[str, Any], str]:
    r"""Options in the first lines of a text, and the text after them.

    A line that names no option is the text's first.

    >>> in_prompt('workspace=one\nallowed-tools=["Bash"]\n\nHello')
    ({'workspace': 'one', 'allowed_tools': ['Bash']}, 'Hello')
    >>> in_prompt("x=1 is what?")
    ({}, 'x=1 is what?')
    """
    options: dict[str, Any] = {}
    lines = text.split("\n")
    count = 0
    for count, line in enumerate([*lines, ""]):  # noqa: B007 - how many were options
        match = _LINE.fullmatch(line.strip())
        name = match[1].replace("-", "_") if match else ""
        if match is None or name not in _NAMES | {"session_id"}:
            break
        try:
            options[name] = _read(name, match[2])
        except ValueError:
            raise InvalidRequest.of(
                "bad_option", ("body", "messages"), f"This is no value for {match[1]!r}"
            ) from None
    if not options:
        return {}, text
    return options, "\n".join(lines[count:]).lstrip("\n")


def resolve(options: Mapping[str, Any], where: str) -> Options:
    """All options together. Raises InvalidRequest for a value of the wrong type."""
    fields = {name: value for name, value in options.items() if name not in _OTHERS}
    more = options.get("mcp_allowed_tools")
    if more is not None:
        if not isinstance(more, list):
            raise _wrong(where, "mcp_allowed_tools", "a list")
        allowed = fields.get("allowed_tools") or []
        if not isinstance(allowed, list):
            raise _wrong(where, "allowed_tools", "a list")
        fields["allowed_tools"] = [*allowed, *more]
    skip = options.get("dangerously_skip_permissions")
    if skip is not None:
        if not isinstance(skip, bool):
            raise _wrong(where, "dangerously_skip_permissions", "true or false")
        if fields.get("permission_mode") is None:
            fields["permission_mode"] = "bypassPermissions" if skip else "default"
    system = options.get("system") or "append"
    if system not in ("append", "replace"):
        raise _wrong(where, "system", "append or replace")
    events = options.get("events") or False
    if not isinstance(events, bool):
        raise _wrong(where, "events", "true or false")
    workspace = options.get("workspace")
    if workspace is not None:
        if not isinstance(workspace, str):
            raise _wrong(where, "workspace", "a text")
        if fields.get("cwd"):
            raise _wrong(where, "workspace", "given without cwd: they name two folders")
    return Options(fields, workspace, system, events)


def _known(name: str, place: tuple[str, ...]) -> str:
    usual = name.lower().replace("-", "_")
    if usual not in _NAMES:
        close = difflib.get_close_matches(usual, _NAMES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise InvalidRequest.of(
            "extra_forbidden",
            place,
            f"Unknown option {name[:100]!r}{hint}",
        )
    return usual


def _read(name: str, text: str) -> Any:
    """An option's value in a header or a line. Raises ValueError."""
    text = text.strip()
    if name in OBJECTS or (name in _LISTS and text.startswith("[")):
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError from None
    if name in _LISTS:
        return list(_parts(text))
    if name in _SWITCHES:
        if text.lower() not in ("true", "false"):
            raise ValueError
        return text.lower() == "true"
    if name in ("timeout", "idle_timeout"):
        return float(text)
    return text


def _parts(text: str) -> Iterator[str]:
    return (part.strip() for part in _COMMA.split(text) if part.strip())


def _wrong(where: str, name: str, what: str) -> InvalidRequest:
    place = ("body", *(part for part in (where, name) if part))
    return InvalidRequest.of("wrong_type", place, f"This must be {what}")
