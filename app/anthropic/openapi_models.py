"""The OpenAPI description of the responses in the format of Anthropic's API."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from app.conversation.errors import BadParameter, ModelNotFound
from app.errors import GatewayError, SessionNotFound
from app.openapi.answers import ANSWER_ERRORS, answer_responses
from app.openapi.answers import REQUEST_ERRORS as ANY_REQUEST_ERRORS
from app.openapi.describe import ResponseDescription, Text
from app.openapi.response_model import ResponseModel


class AnthropicErrorObject(ResponseModel):
    """The error itself."""

    type: str = Field(description="Anthropic's type.", examples=["invalid_request_error"])
    message: str = Field(
        description="A message for people, with the parameter that is wrong.",
        examples=["max_tokens: Field required"],
    )
    code: str = Field(description="A stable code for programs.", examples=["invalid_request"])


class AnthropicError(ResponseModel):
    """An error in the format of Anthropic's API."""

    #: The codes are the gateway's own.
    codes: ClassVar[dict[str, str]] = {}

    type: Literal["error"] = Field(description="Always `error`.")
    error: AnthropicErrorObject
    request_id: str = Field(description="The same as the headers request-id and X-Request-ID.")


class AnthropicMessage(ResponseModel):
    """The model's message."""

    id: str = Field(description="The id of the message.", examples=["msg_01"])
    type: Literal["message"] = Field(description="Always `message`.")
    role: Literal["assistant"] = Field(description="Always `assistant`.")
    model: str = Field(
        description="The model that answered.", examples=["claude-sonnet-4-5-20250929"]
    )
    content: list[dict[str, Any]] = Field(
        description="Blocks: text, thinking and tool_use.",
        examples=[[{"type": "text", "text": "A pipe joins two programs."}]],
    )
    stop_reason: str | None = Field(
        description="Why the message ends, such as `end_turn`, `max_tokens`, `stop_sequence` or"
        " `tool_use`.",
        examples=["end_turn"],
    )
    stop_sequence: str | None = Field(
        description="Which of the `stop_sequences` ended it; null if none did."
    )
    usage: dict[str, Any] = Field(
        description="Tokens, as the model's API counted them.",
        examples=[{"input_tokens": 370, "output_tokens": 8}],
    )


class TokenCount(ResponseModel):
    """The number of tokens."""

    input_tokens: int = Field(description="The estimate, in tokens.", examples=[5])


class AnthropicModel(ResponseModel):
    """A model."""

    type: Literal["model"] = Field(description="Always `model`.")
    id: str = Field(description="The name, for the parameter `model`.", examples=["sonnet"])
    display_name: str = Field(description="The name for people.", examples=["Sonnet"])
    created_at: str = Field(
        description="When the gateway started.", examples=["2026-11-26T12:00:00Z"]
    )


class AnthropicModelList(ResponseModel):
    """The models, if the request has the header anthropic-version."""

    data: list[AnthropicModel] = Field(description="The models.")
    has_more: Literal[False] = Field(description="Always false: this is the only page.")
    first_id: str = Field(description="The `id` of the first model.", examples=["sonnet"])
    last_id: str = Field(description="The `id` of the last model.", examples=["haiku"])


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
        "properties": {
            "event": {"type": "string", "description": "The type of the event."},
            "data": {"type": "string", "description": "The event as JSON, with its `type`."},
        },
        "required": ["event", "data"],
    },
    (AnthropicError,),
)


#: The responses with a message.
MESSAGE = answer_responses(
    "The message, whole or, with `stream`, in events.",
    AnthropicMessage,
    _EVENTS,
    AnthropicError,
    not_found="The CLI does not know the model, or in agent mode the session.",
    headers=["X-Session-ID"],
)
#: The responses with a count.
TOKEN_COUNT = {
    200: ResponseDescription(
        "The number of tokens.", {"application/json": TokenCount}, sometimes=("X-Estimated",)
    ),
    **{status: MESSAGE[status] for status in (404, 413, 424, 429, 503, 529)},
}
#: Errors of any request in this format.
REQUEST_ERRORS: tuple[type[GatewayError], ...] = (BadParameter, ModelNotFound, *ANY_REQUEST_ERRORS)
#: Errors of a request before its job has started to answer.
MESSAGE_ERRORS: tuple[type[GatewayError], ...] = (
    BadParameter,
    ModelNotFound,
    SessionNotFound,
    *ANSWER_ERRORS,
)
