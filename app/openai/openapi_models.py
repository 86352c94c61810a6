"""The OpenAPI description of the responses under `/v1`."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from app.conversation.errors import BadParameter, ModelNotFound
from app.errors import GatewayError, SessionNotFound
from app.openai.errors import CODES
from app.openapi.answers import ANSWER_ERRORS, answer_responses
from app.openapi.describe import UNNAMED_EVENT, Text
from app.openapi.response_model import ResponseModel


class OpenAIErrorObject(ResponseModel):
    """The error itself."""

    message: str = Field(description="A message for people.", examples=["messages: Field required"])
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"] = Field(
        description="The kind of error: the request is wrong, came too often, or the gateway, the"
        " CLI or the model's API has failed."
    )
    param: str | None = Field(description="The parameter that is wrong.", examples=["messages"])
    code: str = Field(description="A stable code for programs.", examples=["invalid_request"])


class OpenAIError(ResponseModel):
    """An error in the format of OpenAI's API."""

    #: OpenAI's names of the gateway's codes, where they differ.
    codes: ClassVar[dict[str, str]] = CODES

    error: OpenAIErrorObject


class CalledFunction(ResponseModel):
    """What to carry out."""

    name: str = Field(description="The name of the function.", examples=["weather"])
    arguments: str = Field(description="An object as JSON.", examples=['{"city": "Oslo"}'])


class CompletionToolCall(ResponseModel):
    """A call of one of the client's tools."""

    id: str = Field(
        description="The id of the call; the message with its result has it as `tool_call_id`.",
        examples=["toolu_01"],
    )
    type: Literal["function"] = Field(description="Always `function`.")
    function: CalledFunction


class CompletionMessage(ResponseModel):
    """The answer."""

    role: Literal["assistant"] = Field(description="Always `assistant`.")
    content: str | None = Field(
        description="The text of the answer; null if there are only calls.",
        examples=["There are two files: a.txt and b.txt."],
    )
    tool_calls: list[CompletionToolCall] | None = Field(
        None, description="The calls of the client's tools, if there are any."
    )
    refusal: None = Field(description="Always null: a refusal is the text of the answer.")
    claude: list[Any] | None = Field(
        None, description="The CLI's lines, if the option `events` asks for them."
    )


class CompletionChoice(ResponseModel):
    """The only choice."""

    index: Literal[0] = Field(description="Always 0.")
    message: CompletionMessage
    logprobs: None = Field(description="Always null.")
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"] = Field(
        description="Why the answer ends: it is complete, has reached a limit of tokens, was"
        " refused, or the model calls tools of the client."
    )


class Completion(ResponseModel):
    """A chat completion."""

    id: str = Field(
        description="`chatcmpl-` and the job's id.",
        examples=["chatcmpl-324b03ba-e414-46e1-a8c1-d86f48a0eee8"],
    )
    object: Literal["chat.completion"] = Field(description="Always `chat.completion`.")
    created: int = Field(description="When, in seconds since 1970.", examples=[1795000000])
    model: str = Field(description="The model, as the request named it.", examples=["sonnet"])
    choices: list[CompletionChoice] = Field(description="The answer, as the only choice.")
    usage: dict[str, Any] = Field(
        description="Tokens, as the CLI counted them. `prompt_tokens` has all input,"
        " `cached_tokens` what of it came from the cache.",
        examples=[
            {
                "prompt_tokens": 2500,
                "completion_tokens": 20,
                "total_tokens": 2520,
                "prompt_tokens_details": {"cached_tokens": 2400},
                "completion_tokens_details": {"reasoning_tokens": 0},
            }
        ],
    )
    system_fingerprint: str = Field(
        description="The version of the CLI.", examples=["claude-code-2.1.330"]
    )
    session_id: str | None = Field(
        description="The session, to continue it.",
        examples=["f9645fec-0c0f-4a71-9d51-2a3c1f0b7c1e"],
    )
    conversation_id: str | None = Field(description="The same as `session_id`.")


class ModelRow(ResponseModel):
    """A model."""

    id: str = Field(description="The name, for the parameter `model`.", examples=["sonnet"])
    object: Literal["model"] = Field(description="Always `model`.")
    created: int = Field(
        description="When the gateway started, in seconds since 1970.", examples=[1795000000]
    )
    owned_by: str = Field(description="Always `anthropic`.", examples=["anthropic"])


class ModelList(ResponseModel):
    """The models."""

    object: Literal["list"] = Field(description="Always `list`.")
    data: list[ModelRow] = Field(description="The models.")


class Conversation(ResponseModel):
    """A conversation, which is a session of the CLI."""

    id: str = Field(
        description="Its id: send it as `conversation_id` to continue it.",
        examples=["f9645fec-0c0f-4a71-9d51-2a3c1f0b7c1e"],
    )
    object: Literal["conversation"] = Field(description="Always `conversation`.")
    created_at: int = Field(
        description="When it was started, in seconds since 1970.", examples=[1795000000]
    )
    metadata: dict[str, Any] = Field(
        description="The values that it was started with.", examples=[{"topic": "files"}]
    )
    updated_at: int = Field(
        description="When its last turn ended, in seconds since 1970.", examples=[1795000060]
    )
    turns: int = Field(description="How many turns it has had.", examples=[2])
    model: str | None = Field(
        description="The model of its last turn; null: it had none yet, or the CLI chose.",
        examples=["sonnet"],
    )
    cwd: str | None = Field(
        description="The folder in which Claude works; null before its first turn.",
        examples=["/srv/project"],
    )


class ConversationList(ResponseModel):
    """The user's conversations."""

    object: Literal["list"] = Field(description="Always `list`.")
    data: list[Conversation] = Field(description="The conversations, the last used first.")


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


#: The responses of a completion.
COMPLETION = answer_responses(
    "The completion, whole or, with `stream`, in chunks.",
    Completion,
    _CHUNKS,
    OpenAIError,
    not_found="The CLI does not know the session or the model.",
    headers=("X-Session-ID",),
)
#: Errors of a completion before its job has started to answer.
COMPLETION_ERRORS: tuple[type[GatewayError], ...] = (
    BadParameter,
    ModelNotFound,
    SessionNotFound,
    *ANSWER_ERRORS,
)
