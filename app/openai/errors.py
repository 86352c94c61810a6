"""How the OpenAI face tells errors: the shape, types and codes that its clients know. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.conversation.errors import FAILED_DEPENDENCY
from app.errors import GatewayError
from app.http.error_response import ErrorResponse

#: Our codes that OpenAI's clients know under another name.
CODES = {
    "not_authenticated": "invalid_api_key",
    "invalid_credentials": "invalid_api_key",
    "queue_full": "rate_limit_exceeded",
}
# What the SDKs would send again although it cannot go better then.
_FINAL = {
    "too_many_attempts",
    "insufficient_storage",
    "not_implemented",
    "internal_error",
    "idempotency_key_reused",
}


def render_error(error: GatewayError) -> ErrorResponse:
    """The error as OpenAI's API would report it."""
    # OpenAI's own API has no 422: a body that does not fit is a 400.
    status = 400 if error.status == 422 else error.status
    headers = error.headers()
    if error.code in _FINAL or status == FAILED_DEPENDENCY:
        headers["X-Should-Retry"] = "false"
    return ErrorResponse(status, {"error": error_object(error)}, headers)


def error_object(error: GatewayError) -> dict[str, Any]:
    """What stands in `error`: `message`, `type`, `param` and `code`."""
    param: str | None = getattr(error, "param", None)
    if isinstance(error.detail, str):
        message = f"{error.detail}. {error.hint}" if error.hint else error.detail
    else:
        message = "; ".join(_sentence(complaint) for complaint in error.detail)
        param = parameter(error.detail[0]["loc"])
    return {
        "message": message,
        "type": _type(error.status),
        "param": param,
        "code": CODES.get(error.code, error.code),
    }


def parameter(location: Sequence[str | int]) -> str | None:
    """A place in a request as OpenAI writes it.

    >>> parameter(["body", "messages", 0, "content"])
    'messages[0].content'
    """
    name = ""
    for part in location[1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name or None


def _sentence(complaint: Mapping[str, Any]) -> str:
    name = parameter(complaint["loc"])
    return f"{name}: {complaint['msg']}" if name else str(complaint["msg"])


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    failed = status >= 500 or status == FAILED_DEPENDENCY
    return "server_error" if failed else "invalid_request_error"
