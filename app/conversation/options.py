"""The options of a chat API's request, in its body, headers or prompt. Pure.

They are all fields of `POST /chat` but the prompt, with dashes or underscores in their names, and

    mode                           agent or model (`app.conversation.chat_turns`)
    workspace                      a folder of the gateway instead of `cwd`
    system                         how to use the system prompt: append or replace
    mcp_allowed_tools              more allowed tools
    dangerously_skip_permissions   true: permission mode bypassPermissions; false: default
    events                         whether the answer includes the CLI's lines
    backend                        cli, or direct: the model's API without the CLI (`app.direct`)
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from app.cli.request_fields import LISTS, NUMBERS, OBJECTS, SWITCHES, ChatRequest
from app.conversation.errors import BadParameter
from app.conversation.messages import Message, TextPart
from app.errors import InvalidRequest
from app.json_body import MOST_FIELDS, did_you_mean, read_json
from app.records.job_records import Backend
from app.text import shortened

#: The modes in which a chat API answers.
Mode = Literal["agent", "model"]

_OWN_OPTIONS = {
    "mode",
    "workspace",
    "system",
    "mcp_allowed_tools",
    "dangerously_skip_permissions",
    "events",
    "backend",
}
_NAMES = (set(ChatRequest.model_fields) | _OWN_OPTIONS) - {"prompt"}
_LISTS = LISTS | {"mcp_allowed_tools"}
_SWITCHES = SWITCHES | {"dangerously_skip_permissions", "events"}
_HEADER = "X-CLAUDE-"
#: What a session's id, or a client's name for one, may be.
SESSION = re.compile(r"[!-~]{1,200}")
# A line with name=value; the value may be JSON.
_LINE = re.compile(r"([a-z][a-z_-]{0,39})=(.*)")
# The most lines of a prompt that are options, and their most characters.
_MOST_LINES = 100
_LONGEST_LINE = 100_000


class Options(NamedTuple):
    """The options of a request. `fields` are those of `POST /chat`."""

    fields: dict[str, Any]
    workspace: str | None
    system: str
    events: bool
    mode: Mode | None = None
    backend: Backend | None = None

    def take_session(self, where: str) -> str | None:
        """The session that the options name, which is removed from them. Raises BadParameter."""
        session = self.fields.pop("session_id", None)
        if session and not (isinstance(session, str) and SESSION.fullmatch(session)):
            raise BadParameter(f"{where}.session_id", "Must be 1 to 200 visible ASCII characters")
        return session or None


def from_json(options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Options in a JSON object, by their names with underscores.

    `where` is the parameter with the object, or empty. Raises InvalidRequest for an unknown
    option: a misspelled one might allow a job more than intended.
    """
    if len(options) > MOST_FIELDS:
        place = ("body", *([where] if where else []))
        raise InvalidRequest.of(
            "too_many_items", place, f"There are more than {MOST_FIELDS} options"
        )
    return {
        _option_name(name, ("body", *([where] if where else []), name)): value
        for name, value in options.items()
    }


def from_headers(headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Options in headers such as `X-Claude-Allowed-Tools: Read, Bash(git log)`."""
    options: dict[str, Any] = {}
    for header, value in headers:
        if header.upper().startswith(_HEADER):
            header = shortened(header)
            name = _option_name(header[len(_HEADER) :], ("headers", header))
            try:
                # WSGI decodes headers as Latin-1 (PEP 3333).
                options[name] = _parse_value(name, value.encode("latin-1").decode())
            except ValueError:
                raise InvalidRequest.of(
                    "bad_header", ("headers", header), f"This is not a valid value for {name!r}"
                ) from None
    return options


def from_prompt(text: str) -> tuple[dict[str, Any], str]:
    r"""Options in the first lines of a prompt, and the rest of the prompt.

    The rest begins with the first line that has no option.

    >>> from_prompt('workspace=one\nallowed-tools=["Bash"]\n\nHello')
    ({'workspace': 'one', 'allowed_tools': ['Bash']}, 'Hello')
    >>> from_prompt("x=1 is what?")
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
            options[name] = _parse_value(name, match[2])
        except ValueError:
            raise InvalidRequest.of(
                "bad_option", ("body", "messages"), f"This is not a valid value for {match[1]!r}"
            ) from None
    if not options:
        return {}, text
    return options, text[begin:].lstrip("\n")


def from_messages(messages: Sequence[Message]) -> tuple[dict[str, Any], list[Message]]:
    """Options at the beginning of user messages, and the messages without them."""
    options: dict[str, Any] = {}
    rest = list(messages)
    for index, message in enumerate(messages):
        first = message.parts[0] if message.parts else None
        if message.role == "user" and isinstance(first, TextPart):
            found, text = from_prompt(first.text)
            options.update(found)
            rest[index] = message._replace(parts=[TextPart(text), *message.parts[1:]])
    return options, rest


def resolve(options: Mapping[str, Any], where: str) -> Options:
    """The options as fields and values. Raises InvalidRequest for a value of the wrong type."""
    fields = {name: value for name, value in options.items() if name not in _OWN_OPTIONS}
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
    mode = options.get("mode")
    if mode not in (None, "agent", "model"):
        raise _wrong(where, "mode", "agent or model")
    backend = options.get("backend")
    if backend not in (None, "cli", "direct"):
        raise _wrong(where, "backend", "cli or direct")
    events = options.get("events") or False
    if not isinstance(events, bool):
        raise _wrong(where, "events", "true or false")
    workspace = options.get("workspace")
    if workspace is not None:
        if not isinstance(workspace, str):
            raise _wrong(where, "workspace", "a text")
        if fields.get("cwd"):
            raise _invalid(where, "workspace", "Give either workspace or cwd, not both")
    return Options(fields, workspace, system, events, mode, backend)


def _option_name(name: str, place: tuple[str, ...]) -> str:
    known = name.lower().replace("-", "_")
    if known not in _NAMES:
        raise InvalidRequest.of(
            "extra_forbidden",
            [shortened(part) for part in place],
            f"Unknown option {shortened(name)!r}{did_you_mean(known, _NAMES)}",
        )
    return known


def _parse_value(name: str, text: str) -> Any:
    """The value of an option in a header or a line. Raises ValueError."""
    text = text.strip()
    if name in OBJECTS or (name in _LISTS and text.startswith("[")):
        try:
            return read_json(text.encode())
        except InvalidRequest:
            raise ValueError from None
    if name in _LISTS:
        return list(_split_list(text))
    if name in _SWITCHES:
        if text.lower() not in ("true", "false"):
            raise ValueError
        return text.lower() == "true"
    if name in NUMBERS:
        return float(text)
    return text


def _split_list(text: str) -> Iterator[str]:
    """Split a list at its commas, except for those between parentheses.

    >>> list(_split_list("Read, Bash(git log, git diff) ,,Edit(a"))
    ['Read', 'Bash(git log, git diff)', 'Edit(a']
    """
    begin, inside = 0, False
    # An opening parenthesis without a closing one does not count.
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
    return _invalid(where, name, f"Must be {what}")


def _invalid(where: str, name: str, message: str) -> InvalidRequest:
    place = ("body", *(part for part in (where, name) if part))
    return InvalidRequest.of("wrong_type", place, message)
