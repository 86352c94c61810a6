"""Errors in the format of OpenAI's API. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.conversation.errors import AnswerFailed, is_final
from app.errors import FAILED_DEPENDENCY, GatewayError
from app.http.error_response import ErrorResponse

#: OpenAI's names of the gateway's codes, where they differ.
CODES = {
    "not_authenticated": "invalid_api_key",
    "invalid_credentials": "invalid_api_key",
    "queue_full": "rate_limit_exceeded",
}
# The same for the kinds of `app.conversation.failure_kinds`.
_FAILURE_CODES = {
    "context_too_long": "context_length_exceeded",
    "invalid_schema": "invalid_json_schema",
    "max_budget": "error_max_budget_usd",
    "max_turns": "error_max_turns",
    "not_logged_in": "cli_not_logged_in",
    "rate_limited": "rate_limit_exceeded",
}
# The parameters that cause these failures.
_FAILURE_PARAMS = {
    "context_too_long": "messages",
    "invalid_schema": "response_format",
    "model_not_found": "model",
    "request_too_large": "messages",
    "session_not_found": "session_id",
}
# The parameters that these errors are about, wherever they are raised.
_PARAMS = {"bad_directory": "claude", "directory_not_allowed": "claude"}
# Clients recognize this failure by OpenAI's sentence.
_CONTEXT_TOO_LONG = "This model's maximum context length is exceeded."


def render_error(error: GatewayError) -> ErrorResponse:
    """The error as OpenAI's API would report it."""
    # OpenAI's API answers an invalid body with 400, not with 422.
    status = 400 if error.status == 422 else error.status
    headers = error.headers()
    if is_final(error) or status == FAILED_DEPENDENCY:
        headers["X-Should-Retry"] = "false"
    return ErrorResponse(status, {"error": error_object(error)}, headers)


def error_object(error: GatewayError) -> dict[str, Any]:
    """The object `error`: `message`, `type`, `param` and `code`."""
    is_failure = isinstance(error, AnswerFailed)
    return {
        "message": _message(error),
        "type": _type(error.status),
        "param": _FAILURE_PARAMS.get(error.code) if is_failure else _param(error),
        "code": (_FAILURE_CODES if is_failure else CODES).get(error.code, error.code),
    }


def parameter(location: Sequence[str | int]) -> str | None:
    """A place in a request in OpenAI's notation.

    >>> parameter(["body", "messages", 0, "content"])
    'messages[0].content'
    """
    name = ""
    for part in location[1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name or None


def _param(error: GatewayError) -> str | None:
    if isinstance(error.detail, str):
        return getattr(error, "param", _PARAMS.get(error.code))
    return parameter(error.detail[0]["loc"])


def _message(error: GatewayError) -> str:
    if not isinstance(error.detail, str):
        return "; ".join(_sentence(complaint) for complaint in error.detail)
    if isinstance(error, AnswerFailed) and error.code == "context_too_long":
        return f"{_CONTEXT_TOO_LONG} {error.detail}"
    return f"{error.detail}. {error.hint}" if error.hint else error.detail


def _sentence(complaint: Mapping[str, Any]) -> str:
    name = parameter(complaint["loc"])
    return f"{name}: {complaint['msg']}" if name else str(complaint["msg"])


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    failed = status >= 500 or status == FAILED_DEPENDENCY
    return "server_error" if failed else "invalid_request_error"
