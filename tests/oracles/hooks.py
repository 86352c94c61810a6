"""Hooks of schemathesis: an existing folder, and prompts that the fake CLI obeys.

Schemathesis loads this (SCHEMATHESIS_HOOKS), not pytest. Values that it makes invalid on purpose
are left as they are.
"""

import hashlib
import os
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation

# As in app/api/questions.py.
LONGEST_WAIT = 300.0
PROJECT = os.environ["PROJECT"]
FORMS = ("*/*", "application/json", "text/plain", "application/x-ndjson")
PROMPTS = (
    None,
    "system s\nline {}\nresult ok",
    "complain no\nexit 3",
    # Long enough that it can be cancelled.
    "polite\nchatter 20 0.1\nresult ok",
)


def chosen(given: str, among: int) -> int:
    """A number that depends on this alone, so that a case can be tried again."""
    return hashlib.sha256(given.encode(errors="replace")).digest()[0] % among


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Change a case before it is sent."""
    number = chosen(str(case.body), 12)
    if case.path.startswith("/chat") and case.method in ("GET", "POST"):
        case.headers["Accept"] = FORMS[number % 4]
    if case.path == "/questions":
        # Otherwise each request without a question to show would wait.
        case.query = {name: _short(value) for name, value in case.query.items()}
    if (case.method, case.path) != ("POST", "/chat"):
        return
    if isinstance(case.body, dict) and is_wrong(case, ParameterLocation.QUERY):
        # Beside JSON the query does not count: ask in the way in which it does.
        case.body = str(case.body.get("prompt"))
        case.media_type = "text/plain"
        case.headers["Content-Type"] = "text/plain"
    for fields in (case.body, case.query):
        if isinstance(fields, dict) and str(fields.get("cwd")).startswith("/"):
            fields["cwd"] = PROJECT
    if case.media_type == "text/plain" and is_wrong(case, ParameterLocation.BODY):
        # Whatever is no text becomes one on the way, but for what is not UTF-8.
        case.body = b"\xff"
    prompt = PROMPTS[number // 3]
    if isinstance(case.body, dict) and prompt is not None:
        given = case.body.get("prompt")
        if isinstance(given, str) and given.strip():
            case.body["prompt"] = prompt
            if "chatter" in prompt:
                case.headers["Prefer"] = "respond-async"
                # Others that go on with the same session would wait for it.
                if not is_wrong(case, ParameterLocation.BODY):
                    case.body.pop("session_id", None)


def _short(seconds: Any) -> Any:
    """A valid time to wait, made short; any other value as it is."""
    if isinstance(seconds, list):
        return [_short(each) for each in seconds]
    try:
        return "0.01" if 0 < float(seconds) <= LONGEST_WAIT else seconds
    except (TypeError, ValueError):
        return seconds


def is_wrong(case: Any, part: ParameterLocation) -> bool:
    """Whether schemathesis made this part of the request to be refused."""
    component = case.meta and case.meta.components.get(part)
    return bool(component and component.mode.is_negative)
