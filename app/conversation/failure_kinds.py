"""The kinds of failure of a job that gave no answer. Pure.

Written for version 2.1.330 of the CLI: after a failed call of the model's API, the `result` line
has `is_error`, `api_error_status` and the CLI's message.
"""

import math
from collections.abc import Mapping
from typing import Any

from app.cli.lines import as_object, parse
from app.conversation.errors import AnswerFailed
from app.errors import FAILED_DEPENDENCY

# In the line about a limit of the account.
_LIMIT = b'"rate_limit_event"'
_NO_SESSION = ("No conversation found with session ID", "--resume requires a valid session ID")
_BAD_SCHEMA = "--json-schema is not a valid JSON Schema"
_NOT_LOGGED_IN = (
    "The Claude Code CLI is not logged in on the gateway's machine;"
    " its operator can run claude there, or set ANTHROPIC_API_KEY"
)
# By the status with which the model's API refused the call.
_API_ERRORS = {
    400: "invalid_request",
    401: "upstream_unauthorized",
    403: "upstream_unauthorized",
    404: "model_not_found",
    413: "request_too_large",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}
# The statuses of the model's API that are also the response's, if no tool ran.
_PASSED_ON = {400, 404, 413, 429, 503, 529}
# Those with which a client may try again.
_PASSING = {429, 503, 529}
# The longest time, in milliseconds, for which the CLI waits before it asks again.
_LONGEST_DELAY = 86_400_000


def limit_ends_at(line: bytes) -> float | None:
    """When the account's limit ends that a line reports as reached, in Unix time.

    None for a line that reports none. The CLI knows it for accounts with a subscription.
    """
    fields = parse(line) if _LIMIT in line else {}
    limit = as_object(fields.get("rate_limit_info"))
    end = limit.get("resetsAt")
    is_time = isinstance(end, int | float) and not isinstance(end, bool)
    return end if is_time and limit.get("status") == "rejected" else None


def refusal_in(fields: Mapping[str, Any], most_retries: int) -> AnswerFailed | None:
    """The error for a line with which the CLI reports that it asks the model's API again.

    None if it may: the line is not about more than so many retries, or the API did not refuse the
    call for a while.
    """
    status, attempt = fields.get("error_status"), fields.get("attempt")
    if not isinstance(status, int) or status not in _PASSING:
        return None
    if not isinstance(attempt, int) or attempt <= most_retries:
        return None
    message = f"The model's API has refused the request for now ({status})"
    failure = AnswerFailed(_API_ERRORS[status], message, status)
    failure.is_final = False
    delay = fields.get("retry_delay_ms")
    if isinstance(delay, int | float) and 0 < delay < _LONGEST_DELAY:
        failure.retry_after = math.ceil(delay / 1000)
    return failure


def failure_of(
    end: Mapping[str, Any],
    result: Mapping[str, Any],
    used_tools: bool,
    is_model_alone: bool = False,
    retry_after: int | None = None,
) -> AnswerFailed | None:
    """The error for a job with this end (as in `event: done`); None for a success.

    Where a client may ask again, it may after so many seconds (`retry_after`).

    After a tool ran (`used_tools`), the status is one that clients do not retry by themselves. A
    job that did nothing but ask the model (`is_model_alone`) leaves it to the client to ask again.
    """
    status, message = end["status"], str(end.get("error"))
    if status == "succeeded":
        return None
    if status == "timed_out":
        return AnswerFailed("timeout", message)
    if status in ("cancelled", "lost"):
        return AnswerFailed({"lost": "job_lost"}.get(status, status), message)
    failure = _cli_failure(end["reason"], result, message)
    if used_tools:
        failure.status = FAILED_DEPENDENCY
    elif is_model_alone:
        if failure.code == "cli_failed" and end["reason"] == "api_error":
            failure = AnswerFailed("upstream_failed", message, 503)
        failure.is_final = failure.status not in _PASSING
    if failure.status in _PASSING:
        failure.retry_after = retry_after
    return failure


def _cli_failure(reason: str | None, result: Mapping[str, Any], message: str) -> AnswerFailed:
    api_status = result.get("api_error_status")
    if reason == "prompt_too_long":
        return AnswerFailed("context_too_long", message, 400)
    if isinstance(api_status, int) and api_status in _API_ERRORS:
        status = api_status if api_status in _PASSED_ON else FAILED_DEPENDENCY
        return AnswerFailed(_API_ERRORS[api_status], message, status)
    if reason == "not_logged_in":
        return AnswerFailed("not_logged_in", _NOT_LOGGED_IN)
    if _BAD_SCHEMA in message:
        return AnswerFailed("invalid_schema", message, 400)
    if any(phrase in message for phrase in _NO_SESSION):
        return AnswerFailed("session_not_found", message, 404)
    if reason in ("max_turns", "max_budget"):
        return AnswerFailed(reason, message)
    return AnswerFailed("cli_failed", message)
