"""The body of `POST /v1/responses`. Pure."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from app.conversation.client_tools import MOST
from app.conversation.errors import BadParameter
from app.direct.translation import EFFORTS
from app.json_body import validate
from app.openai.chat_tools import as_choice
from app.responses.input_items import MOST_ITEMS, InputItem, check_items, ignored_types
from app.responses.tools import (
    RequestTools,
    ResponseTool,
    ResponseToolChoice,
    request_tools,
)

# Parameters that would change the answer, and that are not supported.
_UNSUPPORTED = ("prompt",)


def _as_items(value: object) -> object:
    """A text is a list of one message of the user."""
    if value is None:
        return []
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}] if value else []
    if not isinstance(value, list):
        raise PydanticCustomError("list_type", "Input should be a text or a list of items")
    return value


class TextFormat(BaseModel):
    """The format of the text."""

    model_config = ConfigDict(extra="allow")

    type: Literal["text", "json_object", "json_schema"] = Field(
        description="`text`: free text. `json_object`: any JSON object. `json_schema`: JSON that"
        " follows `schema`, or an error."
    )
    schema_: dict[str, Any] | None = Field(
        None,
        alias="schema",
        description="The JSON Schema that the text follows.",
        examples=[{"type": "object", "properties": {"files": {"type": "integer"}}}],
    )


class TextOptions(BaseModel):
    """Options of the text."""

    model_config = ConfigDict(extra="allow")

    format: TextFormat | None = Field(None, description="Its format; without it, free text.")


class Reasoning(BaseModel):
    """How much the model thinks."""

    model_config = ConfigDict(extra="allow")

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = Field(
        None,
        description="How much effort the model makes; `none`: it does not think.",
    )


class ConversationReference(BaseModel):
    """A conversation."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(description="The `id` of a conversation of `POST /v1/conversations`.")


def _as_reference(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


class ResponseRequest(BaseModel):
    """A request for a response. Unknown parameters are kept, to report what is ignored."""

    model_config = ConfigDict(extra="allow")

    input: Annotated[
        list[InputItem],
        Field(max_length=MOST_ITEMS, fail_fast=True),
        BeforeValidator(_as_items, json_schema_input_type=str | list[InputItem] | None),
    ] = Field(
        [],
        description="What the model answers: a text, or items. Without `previous_response_id` and"
        " `conversation`, it is the whole conversation.",
        examples=["What is a pipe?"],
    )
    model: str | None = Field(
        None,
        description="A model of `GET /v1/models`, or a full name that begins with `claude-`."
        " Without it, or `claude-code`: DEFAULT_MODEL.",
        examples=["sonnet"],
    )
    instructions: str | None = Field(
        None, description="The system prompt of this response.", examples=["Answer briefly."]
    )
    stream: StrictBool | None = Field(
        None, description="true: the response comes in events, while the model writes it."
    )
    previous_response_id: str | None = Field(
        None,
        description="The stored response that this one continues.",
        examples=["resp_324b03ba-e414-46e1-a8c1-d86f48a0eee8"],
    )
    conversation: Annotated[
        ConversationReference | None,
        BeforeValidator(_as_reference, json_schema_input_type=str | ConversationReference | None),
    ] = Field(
        None,
        description="The conversation that this response continues, instead of"
        " `previous_response_id`.",
    )
    store: StrictBool | None = Field(
        None,
        description="false: the response is not stored. Others are kept for RESPONSE_RETENTION.",
    )
    background: StrictBool | None = Field(
        None,
        description="true: the response goes on without its client, and is read with"
        " `GET /v1/responses/{response_id}`.",
    )
    tools: list[ResponseTool] | None = Field(
        None,
        max_length=MOST,
        fail_fast=True,
        description="Tools that the client carries out. The model has these alone.",
    )
    tool_choice: Annotated[
        ResponseToolChoice | None,
        BeforeValidator(
            as_choice,
            json_schema_input_type=Literal["none", "auto", "required"] | ResponseToolChoice | None,
        ),
    ] = Field(None, description="Which of the `tools` the model may or must call.")
    parallel_tool_calls: StrictBool | None = Field(
        None, description="false: the response has at most one call."
    )
    text: TextOptions | None = Field(None, description="Options of the text.")
    reasoning: Reasoning | None = Field(None, description="How much the model thinks.")
    max_output_tokens: int | None = Field(
        None, gt=0, strict=True, description="The most tokens of the response."
    )
    metadata: dict[str, Any] | None = Field(
        None, description="Values of yours; the response repeats them."
    )
    claude: dict[str, Any] | None = Field(
        None,
        description="Options of the gateway: `mode`, and the fields `tools`, `detach`, `effort`,"
        " `fallback_model`, `idle_timeout`, `max_budget_usd`, `timeout` and `title` of"
        " `POST /chat`; in agent mode all of its fields.",
        examples=[{"timeout": 60}],
    )

    def answer_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the text, or None for free text. Raises BadParameter."""
        wanted = self.text.format if self.text else None
        if wanted is None or wanted.type == "text":
            return None
        if wanted.type == "json_object":
            return {"type": "object"}
        if wanted.schema_ is None:
            raise BadParameter("text.format.schema", "A json_schema must have a schema")
        return wanted.schema_

    def wants_any_object(self) -> bool:
        """Whether the text is any JSON object."""
        wanted = self.text.format if self.text else None
        return wanted is not None and wanted.type == "json_object"

    def request_tools(self) -> RequestTools:
        """The tools of the client. Raises BadParameter."""
        parallel = self.parallel_tool_calls is not False
        return request_tools(self.tools or [], self.tool_choice, parallel=parallel)

    def effort(self) -> str | None:
        """The effort that the CLI is asked for; None leaves it to the CLI."""
        return EFFORTS.get(str(self.reasoning.effort)) if self.reasoning else None

    def thinking_tokens(self) -> int | None:
        """The most tokens of thought: None leaves it to the CLI."""
        return 0 if self.reasoning and self.reasoning.effort == "none" else None

    def ignored_parameters(self) -> list[str]:
        """The names of parameters, and types of tools and items, that have no effect, sorted."""
        extra = self.model_extra or {}
        verbosity = (self.text.model_extra or {}).get("verbosity") if self.text else None
        return [
            *sorted(name for name, value in extra.items() if value is not None),
            *(["verbosity"] if verbosity is not None else []),
            *self.request_tools().left_out,
            *ignored_types(self.input),
        ]


def read_fields(fields: Mapping[str, Any]) -> ResponseRequest:
    """The request with these fields.

    Raises InvalidRequest, which names each wrong parameter, and BadParameter for one that cannot be
    obeyed.
    """
    request = validate(ResponseRequest, fields)
    check_items(request.input, "input")
    for name in _UNSUPPORTED:
        if (request.model_extra or {}).get(name) is not None:
            raise BadParameter(
                name, f"{name!r} is not supported; leave it out", "unsupported_parameter"
            )
    return request


def with_input(request: ResponseRequest, items: Sequence[Mapping[str, Any]]) -> ResponseRequest:
    """The request with other items."""
    return request.model_copy(update={"input": [InputItem.model_validate(each) for each in items]})
