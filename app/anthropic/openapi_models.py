"""The OpenAPI description of the responses in the format of Anthropic's API."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from app.conversation.errors import BadParameter, ModelNotFound
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
from app.openapi.describe import ResponseDescription, Text
from app.openapi.response_model import ResponseModel


class AnthropicErrorObject(ResponseModel):
    """The error itself."""

    type: str = Field(description="Anthropic's type.", examples=["invalid_request_error"])
    message: str = Field(description="A message for people, with the parameter that is wrong.")
    code: str = Field(description="A stable code for programs.")


class AnthropicError(ResponseModel):
    """An error in the format of Anthropic's API."""

    #: The codes are the gateway's own.
    codes: ClassVar[dict[str, str]] = {}

    type: Literal["error"]
    error: AnthropicErrorObject
    request_id: str = Field(description="The same as the headers request-id and X-Request-ID.")


class AnthropicMessage(ResponseModel):
    """The model's message."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]] = Field(description="Blocks: text, thinking and tool_use.")
    stop_reason: str | None
    stop_sequence: str | None
    usage: dict[str, Any] = Field(description="Tokens, as the model's API counted them.")


class TokenCount(ResponseModel):
    """The number of tokens."""

    input_tokens: int


class AnthropicModel(ResponseModel):
    """A model."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str


class AnthropicModelList(ResponseModel):
    """The models, if the request has the header anthropic-version."""

    data: list[AnthropicModel]
    has_more: Literal[False]
    first_id: str
    last_id: str


_EVENT = """\
event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

"""

_EVENTS = Text(
    "Server-sent events as Anthropic's API sends them. A failure after the first one is `event:"
    " error`, and ends the stream.",
    _EVENT,
    {
        "type": "object",
        "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
        "required": ["event", "data"],
    },
    (AnthropicError,),
)


def _failed(description: str) -> ResponseDescription:
    return ResponseDescription(description, {"application/json": AnthropicError})


#: The responses with a message.
MESSAGE = {
    200: ResponseDescription(
        "The message, whole or, with `stream`, in events.",
        {"application/json": AnthropicMessage, "text/event-stream": _EVENTS},
        ("X-Process-ID",),
        sometimes=("X-Claude-Ignored", "Cache-Control", "X-Accel-Buffering"),
    ),
    404: _failed("The CLI does not know the model."),
    413: _failed("The body, or the request to the model, is too large."),
    424: _failed(
        "The job ran and gave no answer: it failed, timed out, was cancelled or lost, or the CLI"
        " is not logged in. The SDKs do not retry it."
    ),
    429: _failed("The rate limit of the model's API or of the gateway is reached."),
    503: _failed("The model's API is overloaded, or no job can start."),
    529: _failed("The model's API is overloaded."),
}
#: The responses with a count.
TOKEN_COUNT = {
    200: ResponseDescription(
        "The number of tokens.", {"application/json": TokenCount}, ("X-Estimated",)
    )
}
#: Errors of any request in this format, where an invalid body is a 400.
REQUEST_ERRORS: tuple[type[GatewayError], ...] = (
    BadParameter,
    ModelNotFound,
    *(error for error in CHAT_REQUEST_ERRORS if error.status != 422),
)
#: Errors of a request before its job has started to answer.
MESSAGE_ERRORS: tuple[type[GatewayError], ...] = (
    *REQUEST_ERRORS,
    DiskFull,
    ShuttingDown,
    IdempotencyKeyReused,
    JobContinuesAfterShutdown,
    JobNotStarted,
    JobContinues,
    QueueFull,
)
