"""The errors of requests that the model's API has not answered. Pure."""

import json
from collections.abc import Mapping

from app.cli.lines import as_object
from app.cli.result_line import sentence
from app.conversation.errors import AnswerFailed
from app.errors import FAILED_DEPENDENCY, GatewayError

# By the status with which the model's API refused the request: the code, and the response's status.
_REFUSALS = {
    400: ("invalid_request", 400),
    401: ("upstream_unauthorized", FAILED_DEPENDENCY),
    403: ("upstream_unauthorized", FAILED_DEPENDENCY),
    404: ("model_not_found", 404),
    413: ("request_too_large", 413),
    429: ("rate_limited", 429),
    503: ("overloaded", 503),
    529: ("overloaded", 529),
}
# By the type of an error after the status.
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
# Statuses after which a client may send the request again: nothing was done.
_PASSING = (429, 503, 529)
_TOO_LONG = "prompt is too long"
_LONGEST_WAIT = 86_400


class UpstreamRefused(AnswerFailed):
    """The model's API has not answered. `retry_after` is in seconds, if it names a time."""

    def __init__(self, code: str, detail: str, status: int, retry_after: int | None = None) -> None:
        super().__init__(code, detail, status)
        self.is_final = status not in _PASSING
        self.retry_after = retry_after
        #: The status with which the model's API refused the request, if it has one.
        self.api_status: int | None = None

    def headers(self) -> dict[str, str]:
        """When to send the request again."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class DirectFull(GatewayError):
    """As many requests go to the model's API as DIRECT_MAX allows."""

    status = 429
    code = "queue_full"
    header_names = ("Retry-After",)

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} requests go to the model's API already (DIRECT_MAX)")

    def headers(self) -> dict[str, str]:
        """When to retry; when a request will end is unknown."""
        return {"Retry-After": "5"}


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
    """The error for a response with this status, which is not a success."""
    try:
        fields = as_object(json.loads(body))
    except (ValueError, RecursionError):
        fields = {}
    message = as_object(fields.get("error")).get("message")
    text = sentence(message) if isinstance(message, str) else ""
    text = text or f"The model's API has answered with the status {status}"
    return _refused(status, text, _seconds(headers.get("retry-after")))


def broken(why: str) -> UpstreamRefused:
    """The error for a model's API that cannot be reached, or whose response has broken off."""
    return UpstreamRefused("upstream_failed", why, 503)


def ended_by(kind: str, message: str) -> UpstreamRefused:
    """The failure of an answer that an event `error` of this type has ended."""
    return _refused(_STATUSES.get(kind, 500), sentence(message), None)


def _refused(status: int, message: str, retry_after: int | None) -> UpstreamRefused:
    if status == 400 and message.lower().startswith(_TOO_LONG):
        # Each chat API has its own words for this.
        failure = UpstreamRefused("context_too_long", message[len(_TOO_LONG) :].lstrip(": "), 400)
        failure.api_status = status
        return failure
    code, answered = _REFUSALS.get(status, ("upstream_failed", 503))
    if 400 <= status < 500 and status not in _REFUSALS:
        code, answered = "invalid_request", 400
    failure = UpstreamRefused(code, message, answered, retry_after)
    failure.api_status = status
    return failure


def _seconds(text: str | None) -> int | None:
    """The seconds in a Retry-After header.

    >>> _seconds("7"), _seconds("0.2"), _seconds("Wed, 21 Oct 2026 07:28:00 GMT")
    (7, 1, None)
    """
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return max(1, round(seconds)) if 0 <= seconds <= _LONGEST_WAIT else None
