"""The OpenAPI description of the responses of the Responses API."""

from typing import Any, Literal

from pydantic import Field

from app.conversation.errors import BadParameter, ConversationNotFound, ModelNotFound
from app.errors import GatewayError, SessionNotFound, Unavailable
from app.openai.openapi_models import OpenAIError
from app.openapi.answers import ANSWER_ERRORS, answer_responses
from app.openapi.describe import ResponseDescription, Text
from app.openapi.response_model import ResponseModel


class ResponseObject(ResponseModel):
    """A response. It repeats what its request had."""

    id: str = Field(
        description="`resp_` and the job's id.",
        examples=["resp_324b03ba-e414-46e1-a8c1-d86f48a0eee8"],
    )
    object: Literal["response"] = Field(description="Always `response`.")
    created_at: int = Field(description="When, in seconds since 1970.", examples=[1795000000])
    completed_at: int | None = Field(
        description="When it was complete, in seconds since 1970; null if it is not."
    )
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"] = (
        Field(description="`queued` and `in_progress` are those that run in the background.")
    )
    error: dict[str, Any] | None = Field(
        description="Why it failed: `code` and `message`.", examples=[None]
    )
    incomplete_details: dict[str, Any] | None = Field(
        description="Why it is not complete: the `reason` is `max_output_tokens` or"
        " `content_filter`.",
        examples=[None],
    )
    model: str = Field(description="The model, as the request named it.", examples=["sonnet"])
    output: list[dict[str, Any]] = Field(
        description="Items: message, function_call, custom_tool_call and reasoning.",
        examples=[
            [
                {
                    "id": "msg_324b03ba-e414-46e1-a8c1-d86f48a0eee8_0",
                    "type": "message",
                    "status": "completed",
                    "role": "assistant",
                    "content": [
                        {
                            "type": "output_text",
                            "text": "A pipe joins two programs.",
                            "annotations": [],
                            "logprobs": [],
                        }
                    ],
                }
            ]
        ],
    )
    previous_response_id: str | None = Field(description="The response that this one continues.")
    conversation: dict[str, Any] | None = Field(
        description="The conversation that it continues: its `id`.", examples=[None]
    )
    store: bool = Field(description="Whether it is stored.")
    background: bool = Field(description="Whether it runs in the background.")
    instructions: str | None = Field(description="As in the request.", examples=["Be brief."])
    max_output_tokens: int | None = Field(description="As in the request.", examples=[1000])
    parallel_tool_calls: bool = Field(description="As in the request.")
    reasoning: dict[str, Any] = Field(
        description="The `effort` of the request. Each reasoning item has its summary.",
        examples=[{"effort": None, "summary": None}],
    )
    text: dict[str, Any] = Field(
        description="As in the request.", examples=[{"format": {"type": "text"}}]
    )
    tools: list[dict[str, Any]] = Field(description="As in the request.", examples=[[]])
    tool_choice: str | dict[str, Any] = Field(description="As in the request.", examples=["auto"])
    metadata: dict[str, Any] = Field(description="As in the request.", examples=[{}])
    truncation: Literal["disabled"] = Field(description="Always `disabled`.")
    temperature: Any = Field(description="As in the request; without effect.", examples=[1.0])
    top_p: Any = Field(description="As in the request; without effect.", examples=[1.0])
    presence_penalty: Any = Field(description="As in the request; without effect.", examples=[0.0])
    frequency_penalty: Any = Field(description="As in the request; without effect.", examples=[0.0])
    top_logprobs: Any = Field(description="As in the request; without effect.", examples=[0])
    max_tool_calls: Any = Field(description="As in the request; without effect.", examples=[None])
    service_tier: Any = Field(
        description="As in the request; without effect.", examples=["default"]
    )
    safety_identifier: Any = Field(
        description="As in the request; without effect.", examples=[None]
    )
    prompt_cache_key: Any = Field(description="As in the request; without effect.", examples=[None])
    user: Any = Field(description="As in the request; without effect.", examples=[None])
    usage: dict[str, Any] | None = Field(
        description="Tokens. `input_tokens` has all input, `cached_tokens` what of it came from the"
        " cache, `cache_write_tokens` what was written to it.",
        examples=[
            {
                "input_tokens": 370,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": 8,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 378,
            }
        ],
    )


class DeletedResponse(ResponseModel):
    """The response is deleted."""

    id: str = Field(
        description="The id of the response.",
        examples=["resp_324b03ba-e414-46e1-a8c1-d86f48a0eee8"],
    )
    object: Literal["response"] = Field(description="Always `response`.")
    deleted: Literal[True] = Field(description="Always true.")


class InputItems(ResponseModel):
    """A page of items."""

    object: Literal["list"] = Field(description="Always `list`.")
    data: list[dict[str, Any]] = Field(
        description="The items.",
        examples=[
            [
                {
                    "id": "item_324b03ba-e414-46e1-a8c1-d86f48a0eee8_0",
                    "type": "message",
                    "status": "completed",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "What is a pipe?"}],
                }
            ]
        ],
    )
    first_id: str | None = Field(description="The id of the first item of the page.")
    last_id: str | None = Field(description="The id of the last item of the page.")
    has_more: bool = Field(description="Whether there is another page.")


_EVENT = """\
event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_324b03ba_0",\
"output_index":0,"content_index":0,"delta":"Hello","logprobs":[]}

"""

_EVENTS = Text(
    "Server-sent events as OpenAI's API sends them. The last one is `response.completed`,"
    " `response.incomplete` or `response.failed`.",
    _EVENT,
    {
        "type": "object",
        "properties": {
            "event": {"type": "string", "description": "The type of the event."},
            "data": {
                "type": "string",
                "description": "The event as JSON, with its `type` and `sequence_number`.",
            },
        },
        "required": ["event", "data"],
    },
)

#: The responses of a creation.
RESPONSE = answer_responses(
    "The response, whole or, with `stream`, in events.",
    ResponseObject,
    _EVENTS,
    OpenAIError,
    not_found="The CLI does not know the model, there is no such conversation, or in agent mode no"
    " such session.",
    headers=["X-Session-ID"],
)
#: The responses with a stored one.
STORED_RESPONSE = {
    200: ResponseDescription(
        "The response, or with `stream` its events.",
        {"application/json": ResponseObject, "text/event-stream": _EVENTS},
        sometimes=("X-Process-ID", "Cache-Control", "X-Accel-Buffering"),
    )
}
#: Errors of a creation before its job has started to answer.
RESPONSE_ERRORS: tuple[type[GatewayError], ...] = (
    BadParameter,
    ModelNotFound,
    ConversationNotFound,
    SessionNotFound,
    Unavailable,
    *ANSWER_ERRORS,
)
