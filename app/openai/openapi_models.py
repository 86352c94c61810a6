"""The OpenAPI description of the responses under `/v1`."""

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
    SessionNotFound,
    ShuttingDown,
)
from app.http.chat_request import CHAT_REQUEST_ERRORS
from app.openai.errors import CODES
from app.openapi.describe import UNNAMED_EVENT, ResponseDescription, Text
from app.openapi.response_model import ResponseModel


class OpenAIErrorObject(ResponseModel):
    """The error itself."""

    message: str = Field(description="A message for people.")
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None = Field(description="The parameter that is wrong.")
    code: str = Field(description="A stable code for programs.")


class OpenAIError(ResponseModel):
    """An error in the format of OpenAI's API."""

    #: OpenAI's names of the gateway's codes, where they differ.
    codes: ClassVar[dict[str, str]] = CODES

    error: OpenAIErrorObject


class CalledFunction(ResponseModel):
    """What to carry out."""

    name: str
    arguments: str = Field(description="An object as JSON.")


class CompletionToolCall(ResponseModel):
    """A call of one of the client's tools."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class CompletionMessage(ResponseModel):
    """The answer."""

    role: Literal["assistant"]
    content: str | None
    tool_calls: list[CompletionToolCall] | None = Field(
        None, description="The calls of the client's tools, if there are any."
    )
    refusal: None
    claude: list[Any] | None = Field(
        None, description="The CLI's lines, if the option `events` asks for them."
    )


class Choice(ResponseModel):
    """The only choice."""

    index: Literal[0]
    message: CompletionMessage
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"]


class Completion(ResponseModel):
    """A chat completion."""

    id: str = Field(examples=["chatcmpl-324b03ba-e414-46e1-a8c1-d86f48a0eee8"])
    object: Literal["chat.completion"]
    created: int = Field(description="When, in seconds since 1970.")
    model: str
    choices: list[Choice]
    usage: dict[str, Any] = Field(description="Tokens, as the CLI counted them.")
    system_fingerprint: str
    session_id: str | None = Field(description="The session, to continue it.")
    conversation_id: str | None = Field(description="The same as `session_id`.")


class ModelRow(ResponseModel):
    """A model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(ResponseModel):
    """The models."""

    object: Literal["list"]
    data: list[ModelRow]


class Conversation(ResponseModel):
    """A conversation, which is a session of the CLI."""

    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, Any]
    updated_at: int = Field(description="When its last turn ended.")
    turns: int
    model: str | None
    cwd: str | None


class ConversationList(ResponseModel):
    """The user's conversations."""

    object: Literal["list"]
    data: list[Conversation]


_CHUNK = """\
data: {"id":"chatcmpl-324b03ba","object":"chat.completion.chunk","created":1795000000,\
"model":"claude-sonnet","system_fingerprint":"claude-code-2.1.330","choices":[{"index":0,\
"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}]}

data: [DONE]

"""

_CHUNKS = Text(
    "Server-sent events: chunks as OpenAI's API sends them, and at the end `[DONE]`. A failure"
    " after the first chunk is `data:` with an object `error`, and ends the stream.",
    _CHUNK,
    UNNAMED_EVENT,
    (OpenAIError,),
)


def _failed(description: str) -> ResponseDescription:
    return ResponseDescription(description, {"application/json": OpenAIError})


#: The responses of a completion.
COMPLETION = {
    200: ResponseDescription(
        "The completion, whole or, with `stream`, in chunks.",
        {"application/json": Completion, "text/event-stream": _CHUNKS},
        ("X-Process-ID",),
        sometimes=("X-Session-ID", "X-Claude-Ignored", "Cache-Control", "X-Accel-Buffering"),
    ),
    404: _failed("The CLI does not know the session or the model."),
    413: _failed("The body, or the request to the model, is too large."),
    424: _failed(
        "The job ran and gave no answer: it failed, timed out, was cancelled or lost, or the CLI"
        " is not logged in. The SDKs do not retry it."
    ),
    429: _failed("The rate limit of the model's API or of the gateway is reached."),
    503: _failed("The model's API is overloaded, or no job can start."),
    529: _failed("The model's API is overloaded."),
}
#: Errors of any request under `/v1`, where an invalid body is a 400.
REQUEST_ERRORS: tuple[type[GatewayError], ...] = (
    BadParameter,
    *(error for error in CHAT_REQUEST_ERRORS if error.status != 422),
)
#: Errors of a completion before its job has started to answer.
COMPLETION_ERRORS: tuple[type[GatewayError], ...] = (
    *REQUEST_ERRORS,
    ModelNotFound,
    DiskFull,
    ShuttingDown,
    IdempotencyKeyReused,
    JobContinuesAfterShutdown,
    JobNotStarted,
    JobContinues,
    QueueFull,
    SessionNotFound,
)
