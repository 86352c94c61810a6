"""What of a question is shown, and which answer an entry is."""

import json
from typing import Any

import pytest

from app.tool.dialog import chosen_answer
from app.tool.question import Choice, Inquiry, Question, asked_in


def question(**fields: Any) -> Question:
    """A question of the gateway's list."""
    return Question.of({"question_id": "q", "process_id": "j", "kind": "tool", **fields})


RULE = {"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "ls *"}]}
EDITS = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}


@pytest.mark.parametrize(
    ("suggestions", "rules"),
    [
        ([RULE, {**RULE, "behavior": "deny"}, EDITS], ["Bash(ls *)"]),
        ([{"type": "addRules", "rules": [{"toolName": "Read"}]}], ["Read"]),
        ([{"type": "addDirectories", "directories": ["/a", "/b"]}], ["files in /a", "files in /b"]),
        ([EDITS], ["all that the mode acceptEdits allows"]),
        ([{**EDITS, "mode": "bypassPermissions"}], []),
        ([7, {}, {"type": "addRules", "rules": 7}, {"type": "addDirectories"}], []),
        (None, []),
    ],
)
def test_what_can_be_remembered(suggestions: object, rules: list[str]) -> None:
    assert question(suggestions=suggestions).rules == rules


def test_each_value_of_the_input_stands_under_its_name() -> None:
    given = {"command": "a\nb: c", "timeout": 7, "edits": [{"old": "\u202e"}]}
    shown = question(input=given).text(whole=False)
    assert shown.startswith("command:\n  a\n  b: c\ntimeout: 7\nedits:\n  [\n")
    assert '"old": "\\u202e"' in shown and "\u202e" not in shown


def test_no_name_of_a_value_can_look_like_another_line() -> None:
    shown = question(input={"a\nallow: all": "b"}).text(whole=False)
    assert "\nallow" not in shown


def test_what_is_long_is_shown_whole_when_asked_for() -> None:
    long = question(input={"lines": "line\n" * 100, "line": "x" * 5000})
    assert long.is_long
    assert "… 70 more lines" in long.text(whole=False)
    assert "x" * 5000 not in long.text(whole=False)
    assert "more lines" not in long.text(whole=True) and "x" * 5000 in long.text(whole=True)
    assert not question(input={"a": "b"}).is_long


def test_inputs_of_another_shape_are_shown_as_they_are() -> None:
    odd = question(kind="question", input={"questions": "none"})
    assert odd.inquiries == [] and odd.text(whole=False) == "questions: none\n"
    assert question(kind="plan", input={"plan": 7}).text(whole=False) == "plan: 7\n"
    assert question(kind="question", input={"questions": [7]}).inquiries == [
        Inquiry("None", (), takes_several=False)
    ]


@pytest.mark.parametrize(
    ("entered", "several", "answer"),
    [
        ("2", False, "b"),
        ("0", False, None),
        ("3", False, None),
        ("99999999999999999999", False, "99999999999999999999"),
        ("²", False, "²"),
        ("1,2", False, "1,2"),
        ("1, 2", True, "a, b"),
        ("2 1", True, "b, a"),
        ("1,3", True, None),
        ("1 or 2", True, "1 or 2"),
        (",", True, ","),
        ("a text", False, "a text"),
    ],
)
def test_an_entry_is_numbers_of_choices_or_another_answer(
    entered: str, several: bool, answer: str | None
) -> None:
    choices = (Choice("a", ""), Choice("b", ""))
    assert chosen_answer(Inquiry("?", choices, takes_several=several), entered) == answer


def test_without_choices_a_number_is_an_answer() -> None:
    assert chosen_answer(Inquiry("?", (), takes_several=False), "7") == "7"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"request_id": "q1"}, "q1"),
        ({"request_id": ""}, None),
        ({"request_id": 7}, None),
        ({"request_id": "q1", "type": "user"}, None),
        ({"request_id": "q1", "request": {"subtype": "x", "y": "can_use_tool"}}, None),
        ({"request_id": "q1", "request": "can_use_tool"}, None),
    ],
)
def test_a_line_that_asks(fields: dict[str, object], found: str | None) -> None:
    line = {"type": "control_request", "request": {"subtype": "can_use_tool"}, **fields}
    assert asked_in(json.dumps(line).encode()) == found
