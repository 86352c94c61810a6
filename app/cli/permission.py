"""The answers to the CLI's questions whether it may use a tool. Pure.

Shapes of the CLI's versions 2.1.330 to 2.1.332: an answer can change the tool's input, and can have
permission updates, of which the CLI suggests some with its question. Those with the destination
`session` end with the CLI's process; the others are written to files of the user or the project.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_RUN = "session"
_GRANTS = ("addRules", "addDirectories")
_ACCEPT_EDITS = ("setMode", _RUN, "acceptEdits")


def rules_for_run(suggestions: Sequence[Any]) -> list[dict[str, Any]]:
    """What the CLI suggests to allow, changed so that it ends with the run.

    A change of the permission mode is among it only if the CLI suggests nothing narrower.

    >>> rules_for_run([
    ...     {"type": "addRules", "behavior": "allow", "rules": [], "destination": "localSettings"},
    ...     {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
    ... ])
    [{'type': 'addRules', 'behavior': 'allow', 'rules': [], 'destination': 'session'}]
    """
    known = [each for each in suggestions if isinstance(each, dict)]
    grants = [
        {**each, "destination": _RUN}
        for each in known
        if each.get("type") in _GRANTS and each.get("behavior", "allow") == "allow"
    ]
    modes = [
        each
        for each in known
        if (each.get("type"), each.get("destination"), each.get("mode")) == _ACCEPT_EDITS
    ]
    return grants or modes


def questions_in(given: Mapping[str, Any]) -> list[str]:
    """The texts of the questions in the input of AskUserQuestion, by which answers are named."""
    asked = given.get("questions")
    rows = asked if isinstance(asked, list) else []
    texts = (row.get("question") for row in rows if isinstance(row, dict))
    return [text for text in texts if isinstance(text, str)]


def answered_input(
    given: Mapping[str, Any], answers: Mapping[str, str | Sequence[str]]
) -> dict[str, Any]:
    """The input of AskUserQuestion with its answers; several choices are one text.

    >>> answered_input({"questions": []}, {"Which?": ["a", "b"]})
    {'questions': [], 'answers': {'Which?': 'a, b'}}
    """
    texts = {
        question: answer if isinstance(answer, str) else ", ".join(answer)
        for question, answer in answers.items()
    }
    return {**given, "answers": texts}
