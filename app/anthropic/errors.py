"""Errors in the format of Anthropic's API."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.conversation.errors import AnswerFailed, is_final
from app.errors import FAILED_DEPENDENCY, GatewayError
from app.http.error_response import ErrorResponse
from app.http.request_id import request_id

#: The header with the request's id, which the SDKs show in their errors.
REQUEST_ID_HEADER = "request-id"

# Clients recognize this failure by Anthropic's words.
_CONTEXT_TOO_LONG = "prompt is too long"
# Anthropic's types of error by status; any other one is an api_error.
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def render_error(error: GatewayError) -> ErrorResponse:
    """The error as Anthropic's API would report it."""
    # Anthropic's API answers an invalid body with 400, not with 422.
    status = 400 if error.status == 422 else error.status
    headers = {**error.headers(), REQUEST_ID_HEADER: request_id()}
    if is_final(error) or status == FAILED_DEPENDENCY:
        headers["X-Should-Retry"] = "false"
    return ErrorResponse(status, error_body(error, request_id()), headers)


def error_body(error: GatewayError, request: str) -> dict[str, Any]:
    """The body of an error's response, and the data of an event `error`.

    `request` is the request's id.
    """
    kind = "overloaded_error" if error.code == "overloaded" else _type(error.status)
    described = {"type": kind, "message": _message(error), "code": error.code}
    return {"type": "error", "error": described, "request_id": request}


def _type(status: int) -> str:
    return _TYPES.get(400 if status == 422 else status, "api_error")


def _message(error: GatewayError) -> str:
    if not isinstance(error.detail, str):
        return "; ".join(map(_sentence, error.detail))
    if isinstance(error, AnswerFailed) and error.code == "context_too_long":
        return f"{_CONTEXT_TOO_LONG}: {error.detail}"
    param = getattr(error, "param", None)
    text = f"{_dotted(param)}: {error.detail}" if param else error.detail
    return f"{text}. {error.hint}" if error.hint else text


def _sentence(complaint: Mapping[str, Any]) -> str:
    name = _place(complaint["loc"])
    return f"{name}: {complaint['msg']}" if name else str(complaint["msg"])


def _place(location: Sequence[str | int]) -> str:
    """A place in a request in Anthropic's notation.

    >>> _place(["body", "messages", 0, "content"])
    'messages.0.content'
    """
    return ".".join(map(str, location[1:]))


def _dotted(param: str) -> str:
    """A parameter in Anthropic's notation.

    >>> _dotted("tools[0].name")
    'tools.0.name'
    """
    return re.sub(r"\[(\d+)\]", r".\1", param)
