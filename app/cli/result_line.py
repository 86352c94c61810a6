"""The meaning of the CLI's last `result` line: success, or a reason and a message. Pure.

Standard library only, because the supervisors import this. Lines are as in the CLI's versions
2.1.197 to 2.1.330.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from app.text import shortened, well_formed

#: Characters of the CLI's message that are kept.
LONGEST_MESSAGE = 500

# Reasons by `terminal_reason`, or by `subtype` in older versions.
_REASONS = {
    "max_turns": "max_turns",
    "error_max_turns": "max_turns",
    "budget_exhausted": "max_budget",
    "error_max_budget_usd": "max_budget",
    "prompt_too_long": "prompt_too_long",
    "api_error": "api_error",
}
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
_TOO_LONG = "Prompt is too long"
_LOGGED_OUT = ("Not logged in", "Please run /login")


class Outcome(NamedTuple):
    """Whether the CLI reports success; if not, a reason and its message, if it has one."""

    succeeded: bool
    reason: str | None = None
    message: str = ""


#: An agent that the model waited for was cut short: the CLI reports a success all the same.
BACKGROUND_STOPPED = Outcome(
    False, "background_stopped", "An agent in the background was cut short"
)


def outcome_of(result: Mapping[str, Any], hook: str | None) -> Outcome:
    """The outcome in a `result` line; `hook` is why a hook stopped the prompt, if one did.

    A line without an error need not be a success: a hook or another message may end the turn.

    >>> outcome_of({"is_error": False, "terminal_reason": "completed"}, None).succeeded
    True
    >>> outcome_of({"is_error": False, "terminal_reason": "aborted_tools"}, None).reason
    'aborted'
    >>> outcome_of({"is_error": True, "subtype": "error_max_turns", "errors": ["Too many"]}, None)
    Outcome(succeeded=False, reason='max_turns', message='Too many')
    """
    ended_by = str(result.get("terminal_reason"))
    if hook is not None:
        return Outcome(False, "blocked_by_hook", sentence(hook))
    if result.get("is_error") is False:
        if killed_agents(result):
            return BACKGROUND_STOPPED
        if ended_by.startswith("aborted"):
            return Outcome(False, "aborted", "The CLI's turn was aborted")
        if ended_by == "hook_stopped" and not result.get("result"):
            return Outcome(False, "blocked_by_hook", "A hook stopped the CLI's turn")
        return Outcome(True)
    message = _message(result)
    return Outcome(False, _reason(result, ended_by, message), message)


def killed_agents(result: Mapping[str, Any]) -> int:
    """How many agents were cut short, by a `result` line: not by the model's own decision.

    From 2.1.330 on. They count from the start of the process.

    >>> killed_agents({"subagent_stats": {"killed": {"parent": 2, "user": 0, "system": 1}}})
    1
    """
    stats = result.get("subagent_stats")
    killed = stats.get("killed") if isinstance(stats, dict) else None
    numbers = [killed.get(by) for by in ("user", "system")] if isinstance(killed, dict) else []
    return sum(number for number in numbers if isinstance(number, int))


def _message(result: Mapping[str, Any]) -> str:
    """The error message of a `result` line, as one sentence; empty if there is none."""
    text, errors = result.get("result"), result.get("errors")
    if isinstance(text, str) and text.strip():
        return sentence(text)
    listed = errors if isinstance(errors, list) else []
    return sentence("; ".join(each for each in listed if isinstance(each, str)))


def sentence(text: str) -> str:
    r"""A text as one line of limited length, without control characters.

    >>> sentence("one\n\ttwo \x1b[31m\ud83d")
    'one two \ufffd[31m\ufffd'
    """
    line = " ".join(text[: LONGEST_MESSAGE * 4].split())
    return shortened(_CONTROLS.sub("\ufffd", well_formed(line)), LONGEST_MESSAGE)


def _reason(result: Mapping[str, Any], ended_by: str, message: str) -> str | None:
    if any(sign in message for sign in _LOGGED_OUT):
        return "not_logged_in"
    if message.startswith(_TOO_LONG):
        return "prompt_too_long"
    if ended_by.startswith("aborted"):
        return "aborted"
    named = _REASONS.get(ended_by) or _REASONS.get(str(result.get("subtype")))
    if named is None and isinstance(result.get("api_error_status"), int):
        return "api_error"
    return named
