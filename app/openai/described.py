"""What the OpenAI face answers, as models and in words, for the document."""

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
from app.openapi.describe import ResponseDescription, Text
from app.openapi.error_models import ResponseModel


class OpenAIErrorObject(ResponseModel):
    """What is wrong, in OpenAI's words."""

    message: str = Field(description="For people.")
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None = Field(description="The parameter that is meant.")
    code: str = Field(description="For programs.")


class OpenAIError(ResponseModel):
    """An error as OpenAI's clients know it."""

    #: Our codes that are called otherwise there.
    codes: ClassVar[dict[str, str]] = CODES

    error: OpenAIErrorObject


class CompletionMessage(ResponseModel):
    """What Claude says."""

    role: Literal["assistant"]
    content: str
    refusal: None
    claude: list[Any] | None = Field(
        None, description="The CLI's lines, if the option `events` asks for them."
    )


class Choice(ResponseModel):
    """The one answer."""

    index: Literal[0]
    message: CompletionMessage
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter"]


class Completion(ResponseModel):
    """A chat completion."""

    id: str = Field(examples=["chatcmpl-324b03ba-e414-46e1-a8c1-d86f48a0eee8"])
    object: Literal["chat.completion"]
    created: int = Field(description="When, in seconds since 1970.")
    model: str
    choices: list[Choice]
    usage: dict[str, Any] = Field(description="Tokens, as the CLI counted them.")
    system_fingerprint: str
    session_id: str | None = Field(description="The session, to go on with it.")
    conversation_id: str | None = Field(description="The same.")


class ModelRow(ResponseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(ResponseModel):
    """The models that can be asked for."""

    object: Literal["list"]
    data: list[ModelRow]


class Conversation(ResponseModel):
    """A conversation, which is a session of the CLI's."""

    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, Any]
    updated_at: int = Field(description="When it was last gone on with.")
    turns: int
    model: str | None
    cwd: str | None


class ConversationList(ResponseModel):
    """This user's conversations."""

    object: Literal["list"]
    data: list[Conversation]


_CHUNK = """\
data: {"id":"chatcmpl-324b03ba","object":"chat.completion.chunk","created":1795000000,\
"model":"claude-sonnet","system_fingerprint":"claude-code-2.1.330","choices":[{"index":0,\
"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}]}

data: [DONE]

"""

_CHUNKS = Text(
    "Server-sent events: chunks as OpenAI's API sends them, and at the end `[DONE]`. A failure in"
    " the middle is `data:` with an object `error`; then nothing follows.",
    _CHUNK,
    {"type": "string"},
    (OpenAIError,),
)


def _failed(words: str) -> ResponseDescription:
    return ResponseDescription(words, {"application/json": OpenAIError})


#: What a completion is answered.
COMPLETION = {
    200: ResponseDescription(
        "The completion, whole or, with `stream`, in chunks.",
        {"application/json": Completion, "text/event-stream": _CHUNKS},
        ("X-Process-ID",),
        sometimes=("X-Session-ID", "X-Claude-Ignored", "Cache-Control", "X-Accel-Buffering"),
    ),
    404: _failed("The session, or the model, is not known to the CLI."),
    413: _failed("The body, or what is asked of the model, is too large."),
    424: _failed(
        "The job ran and gave no answer: it failed, timed out, was cancelled or lost, or the CLI"
        " is not logged in. The SDKs do not repeat it."
    ),
    429: _failed("The model's API allows no more for now, or the gateway does not."),
    503: _failed("The model's API is overloaded, or no job can start."),
    529: _failed("The model's API is overloaded."),
}
#: What can be wrong with any request of this face; a body that does not fit is a 400 here.
REFUSED: tuple[type[GatewayError], ...] = (
    BadParameter,
    *(error for error in CHAT_REQUEST_ERRORS if error.status != 422),
)
#: What can keep a completion from beginning.
NOT_BEGUN: tuple[type[GatewayError], ...] = (
    *REFUSED,
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
