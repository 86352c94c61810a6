"""Errors of the Responses API, in the format of OpenAI's API. Pure."""

from typing import Any

from app.errors import GatewayError, NothingFound
from app.http.error_response import ErrorResponse
from app.openai import errors

# Where this API has another name for a parameter than that of chat completions.
_PARAMS = {"messages": "input", "response_format": "text.format", "session_id": "claude.session_id"}


def render_error(error: GatewayError) -> ErrorResponse:
    """The error as OpenAI's API would report it."""
    rendered = errors.render_error(error)
    return rendered._replace(body={"error": error_object(error)})


def error_object(error: GatewayError) -> dict[str, Any]:
    """The object `error`: `message`, `type`, `param` and `code`."""
    found = errors.error_object(error)
    return {**found, "param": _PARAMS.get(found["param"], found["param"])}


class ResponseNotFound(NothingFound):
    """There is no such stored response, or it is another user's."""

    code = "response_not_found"
    message = "Response not found: {}"
    param = "response_id"


class NotInBackground(GatewayError):
    """The response does not run in the background, so it cannot be cancelled."""

    status = 400
    code = "not_in_background"
    param = "response_id"
