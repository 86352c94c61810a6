"""A question of a job: may the CLI use this tool? Or one to the user. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.cli.lines import as_object, parse
from app.cli.permission import rules_for_run
from app.text import shortened
from app.tool.printable import escaped

#: Lines of one value, and characters of one line, that are shown until the user asks for all.
SHOWN_LINES = 30
SHOWN_COLUMNS = 1000


@dataclass(frozen=True)
class Choice:
    """One answer of those that the user can choose from."""

    label: str
    description: str


@dataclass(frozen=True)
class Inquiry:
    """One question to the user (AskUserQuestion)."""

    text: str
    choices: tuple[Choice, ...]
    takes_several: bool


@dataclass(frozen=True)
class Question:
    """An open question, as the gateway lists it."""

    id: str
    job_id: str
    kind: str
    tool: str
    input: Mapping[str, Any]
    description: str
    suggestions: tuple[Mapping[str, Any], ...]
    expires_at: str | None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Question":
        """The question in a row of the gateway's list."""
        return cls(
            id=str(fields["question_id"]),
            job_id=str(fields["process_id"]),
            kind=str(fields.get("kind")),
            tool=str(fields.get("tool_name")),
            input=as_object(fields.get("input")),
            description=str(fields.get("description") or ""),
            suggestions=tuple(map(as_object, _list(fields.get("suggestions")))),
            expires_at=fields.get("expires_at"),
        )

    @property
    def inquiries(self) -> list[Inquiry]:
        """The questions to the user; none for other kinds, and for an input of another shape."""
        asked = self.input.get("questions") if self.kind == "question" else None
        return [_inquiry(as_object(each)) for each in _list(asked)]

    @property
    def rules(self) -> list[str]:
        """What the answer `remember` allows until the run ends, in the CLI's notation.

        >>> fields = {"question_id": "q", "process_id": "j"}
        >>> rule = {"toolName": "Bash", "ruleContent": "ls *"}
        >>> suggestions = [{"type": "addRules", "behavior": "allow", "rules": [rule]}]
        >>> Question.of({**fields, "suggestions": suggestions}).rules
        ['Bash(ls *)']
        """
        return [rule for each in rules_for_run(self.suggestions) for rule in _rules(each)]

    def text(self, whole: bool) -> str:
        """The input that is to be approved, each value under its name; long ones cut off."""
        if self.kind == "plan" and isinstance(self.input.get("plan"), str):
            return _cut(self.input["plan"], "  ", whole)
        return "".join(_entry(name, value, whole) for name, value in self.input.items())

    @property
    def is_long(self) -> bool:
        """Whether the text is cut off."""
        return self.text(whole=False) != self.text(whole=True)


def asked_in(line: bytes) -> str | None:
    """The id of the question that one of the CLI's lines asks, if it does.

    >>> request = b'{"subtype":"can_use_tool","tool_name":"Bash"}'
    >>> asked_in(b'{"type":"control_request","request_id":"q1","request":%b}' % request)
    'q1'
    """
    if b'"can_use_tool"' not in line:
        return None
    fields = parse(line)
    is_question = as_object(fields.get("request")).get("subtype") == "can_use_tool"
    question_id = fields.get("request_id")
    if fields.get("type") != "control_request" or not is_question:
        return None
    return question_id if isinstance(question_id, str) and question_id else None


def _inquiry(fields: Mapping[str, Any]) -> Inquiry:
    return Inquiry(
        text=str(fields.get("question")),
        choices=tuple(
            Choice(str(option.get("label")), str(option.get("description") or ""))
            for option in map(as_object, _list(fields.get("options")))
        ),
        takes_several=fields.get("multiSelect") is True,
    )


def _rules(update: Mapping[str, Any]) -> Iterator[str]:
    """A permission update, one line a rule."""
    if update.get("type") == "setMode":
        yield f"all that the mode {update.get('mode')} allows"
    yield from (f"files in {each}" for each in _list(update.get("directories")))
    for rule in map(as_object, _list(update.get("rules"))):
        content = rule.get("ruleContent")
        yield f"{rule.get('toolName')}({content})" if content else str(rule.get("toolName"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _entry(name: str, value: object, whole: bool) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    name = " ".join(name.split())
    if "\n" not in text:
        return _cut(f"{name}: {text}", "", whole)
    return _cut(f"{name}:", "", whole) + _cut(text, "  ", whole)


def _cut(text: str, indent: str, whole: bool) -> str:
    """The lines of a text, whose characters can all be seen.

    Indented, no line can look like another value, or like the command's own words.
    """
    lines = escaped(text).rstrip("\n").split("\n")
    shown = lines if whole else [shortened(line, SHOWN_COLUMNS) for line in lines[:SHOWN_LINES]]
    more = len(lines) - len(shown)
    return "".join(f"{indent}{line}\n" for line in shown) + (
        f"{indent}… {more} more lines\n" if more else ""
    )
