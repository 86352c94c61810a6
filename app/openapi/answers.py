"""The responses of the chat APIs with an answer, for the OpenAPI document.

Each API has its own bodies and its own names for codes (`codes` of its error's model), and adds the
errors that it alone has.
"""

from collections.abc import Sequence

from app.errors import (
    DiskFull,
    GatewayError,
    IdempotencyKeyReused,
    JobContinues,
    JobContinuesAfterShutdown,
    JobNotStarted,
    QueueFull,
    ShuttingDown,
)
from app.http.chat_request import CHAT_REQUEST_ERRORS
from app.openapi.describe import Model, ResponseDescription, Text

#: Errors of any request of these APIs, where an invalid body is a 400.
REQUEST_ERRORS: tuple[type[GatewayError], ...] = tuple(
    error for error in CHAT_REQUEST_ERRORS if error.status != 422
)
#: Errors of a request for an answer, before its job has started to answer.
ANSWER_ERRORS: tuple[type[GatewayError], ...] = (
    *REQUEST_ERRORS,
    DiskFull,
    ShuttingDown,
    IdempotencyKeyReused,
    JobContinuesAfterShutdown,
    JobNotStarted,
    JobContinues,
    QueueFull,
)
_FAILURES = {
    413: "The body, or the request to the model, is too large.",
    424: "The job ran and gave no answer: it failed, timed out, was cancelled or lost, or the CLI"
    " is not logged in. The SDKs do not retry it.",
    429: "The rate limit of the model's API or of the gateway is reached.",
    503: "The model's API is overloaded, or no job can start.",
    529: "The model's API is overloaded.",
}
# With these a client may ask again.
_PASSING = (429, 503, 529)


def answer_responses(
    description: str,
    whole: Model,
    stream: Text,
    error: Model,
    *,
    not_found: str,
    headers: Sequence[str] = (),
) -> dict[int, ResponseDescription]:
    """The responses to a request for an answer, which is `whole` or a `stream`.

    `not_found` is what a 404 means. Some answers have further `headers`.
    """
    answer = ResponseDescription(
        description,
        {"application/json": whole, "text/event-stream": stream},
        ("X-Process-ID",),
        sometimes=(
            *headers,
            "X-Claude-Ignored",
            "X-Cache",
            "Age",
            "Cache-Control",
            "X-Accel-Buffering",
        ),
    )
    failures = {404: not_found, **_FAILURES}
    return {200: answer} | {
        status: ResponseDescription(
            text,
            {"application/json": error},
            sometimes=("Retry-After",) if status in _PASSING else (),
        )
        for status, text in failures.items()
    }
