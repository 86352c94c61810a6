"""Why a completion failed: how its job ended and what the CLI's last `result` said. Pure.

Shapes as seen in the CLI's version 2.1.330: a failed call of the model's API is a `result` with
`is_error`, `api_error_status` and the CLI's own words.
"""

from collections.abc import Mapping
from typing import Any

from app.conversation.errors import FAILED_DEPENDENCY, CompletionFailed
from app.errors import GatewayError

_NO_SESSION = ("No conversation found with session ID", "--resume requires a valid session ID")
_NO_SCHEMA = "--json-schema is not a valid JSON Schema"
# Clients know this case by OpenAI's words.
_TOO_LONG = "This model's maximum context length is exceeded."
_LOGGED_OUT = (
    "The Claude Code CLI is not logged in on the gateway's machine;"
    " its operator can run claude there, or set ANTHROPIC_API_KEY"
)
# What the model's API refused: our code, and the parameter that is meant.
_REFUSALS = {
    400: ("invalid_request", None),
    401: ("upstream_unauthorized", None),
    403: ("upstream_unauthorized", None),
    404: ("model_not_found", "model"),
    413: ("request_too_large", "messages"),
    429: ("rate_limit_exceeded", None),
    503: ("overloaded", None),
    529: ("overloaded", None),
}
# Of those, what a client is answered as the model's API answered it, if nothing was done.
_PASSED_ON = {400, 404, 413, 429, 503, 529}
_CODES = {"max_turns": "error_max_turns", "max_budget": "error_max_budget_usd"}


def failure_of(
    end: Mapping[str, Any], result: Mapping[str, Any], was_active: bool
) -> GatewayError | None:
    """The error of a job with this end (as in `event: done`), or None for a success.

    `was_active`: a tool ran. After that, no status may be one that clients repeat by themselves.
    """
    status, words = end["status"], str(end.get("error"))
    if status == "succeeded":
        return None
    if status == "timed_out":
        return CompletionFailed("timeout", words)
    if status in ("cancelled", "lost"):
        return CompletionFailed({"lost": "job_lost"}.get(status, status), words)
    failure = _cli_failure(end, result, words)
    if was_active:
        failure.status = FAILED_DEPENDENCY
    return failure


def _cli_failure(end: Mapping[str, Any], result: Mapping[str, Any], words: str) -> CompletionFailed:
    reason, upstream = end["reason"], result.get("api_error_status")
    if reason == "prompt_too_long":
        detail = f"{_TOO_LONG} {words}"
        return CompletionFailed("context_length_exceeded", detail, 400, "messages")
    if isinstance(upstream, int) and upstream in _REFUSALS:
        code, param = _REFUSALS[upstream]
        status = upstream if upstream in _PASSED_ON else FAILED_DEPENDENCY
        return CompletionFailed(code, words, status, param)
    if reason == "not_logged_in":
        return CompletionFailed("cli_not_logged_in", _LOGGED_OUT)
    if _NO_SCHEMA in words:
        return CompletionFailed("invalid_json_schema", words, 400, "response_format")
    if any(sign in words for sign in _NO_SESSION):
        return CompletionFailed("session_not_found", words, 404, "session_id")
    return CompletionFailed(_CODES.get(str(reason), "cli_failed"), words)
