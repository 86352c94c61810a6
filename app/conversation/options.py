"""The options of a request that is not `POST /chat`'s body, whichever way they are told. Pure.

Any field of `POST /chat` but the prompt, its name with dashes or underscores, and

    workspace                      a folder of ours instead of `cwd`
    system                         what becomes of a system prompt: append or replace
    mcp_allowed_tools              more allowed tools
    dangerously_skip_permissions   true: permission mode bypassPermissions; false: default
    events                         whether what the agent does on the way is told
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from app.cli.request_fields import LISTS, OBJECTS, ChatRequest
from app.errors import InvalidRequest
from app.json_body import MOST_FIELDS, did_you_mean, read_json
from app.text import shortened

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
_LINE = re.compile(r"([a-z][a-z_-]{0,39})=(.*)")
# So many lines of a prompt, of so many characters, may be options.
_MOST_LINES = 100
_LONGEST_LINE = 100_000


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
    if len(options) > MOST_FIELDS:
        place = ("body", *([where] if where else []))
        raise InvalidRequest.of(
            "too_many_items", place, f"There are more than {MOST_FIELDS} options in it"
        )
    return {
        _known(name, ("body", *([where] if where else []), name)): value
        for name, value in options.items()
    }


def in_headers(headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Options in headers like `X-Claude-Allowed-Tools: Read, Bash(git log)`."""
    options: dict[str, Any] = {}
    for header, value in headers:
        if header.upper().startswith(_HEADER):
            header = shortened(header)
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
    begin = 0
    for _ in range(_MOST_LINES):
        end = text.find("\n", begin, begin + _LONGEST_LINE)
        end = min(len(text), begin + _LONGEST_LINE) if end < 0 else end
        match = _LINE.fullmatch(text[begin:end].strip())
        name = match[1].replace("-", "_") if match else ""
        if match is None or name not in _NAMES:
            break
        begin = min(end + 1, len(text))
        try:
            options[name] = _read(name, match[2])
        except ValueError:
            raise InvalidRequest.of(
                "bad_option", ("body", "messages"), f"This is no value for {match[1]!r}"
            ) from None
    if not options:
        return {}, text
    return options, text[begin:].lstrip("\n")


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
        raise InvalidRequest.of(
            "extra_forbidden",
            [shortened(part) for part in place],
            f"Unknown option {shortened(name)!r}{did_you_mean(usual, _NAMES)}",
        )
    return usual


def _read(name: str, text: str) -> Any:
    """An option's value in a header or a line. Raises ValueError."""
    text = text.strip()
    if name in OBJECTS or (name in _LISTS and text.startswith("[")):
        try:
            return read_json(text.encode())
        except InvalidRequest:
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
    """What commas part, but for those between parentheses.

    >>> list(_parts("Read, Bash(git log, git diff) ,,Edit(a"))
    ['Read', 'Bash(git log, git diff)', 'Edit(a']
    """
    begin, inside = 0, False
    # A parenthesis that is not closed holds nothing together.
    last_closed = text.rfind(")")
    for at, character in enumerate(f"{text},"):
        if character == "(":
            inside = at < last_closed
        elif character == ")":
            inside = False
        elif character == "," and not inside:
            part, begin = text[begin:at].strip(), at + 1
            if part:
                yield part


def _wrong(where: str, name: str, what: str) -> InvalidRequest:
    place = ("body", *(part for part in (where, name) if part))
    return InvalidRequest.of("wrong_type", place, f"This must be {what}")
