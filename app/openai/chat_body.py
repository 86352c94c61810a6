"""The body of `POST /v1/chat/completions`. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
)
from pydantic_core import PydanticCustomError

from app.conversation.client_tools import (
    MOST,
    ClientTool,
    ClientTools,
    ToolChoice,
    check_tools,
)
from app.conversation.errors import BadParameter
from app.conversation.messages import first_unanswered
from app.errors import InvalidRequest
from app.json_body import read_object, validate
from app.openai.chat_messages import MOST_MESSAGES, Message, OtherPart
from app.openai.chat_tools import Choice, Tool, as_choice
from app.text import shortened

# Parameters that the CLI cannot obey, with the values that ask for nothing.
_UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
}


def _as_list(value: object) -> object:
    """A string is a list of one string; null and the empty string are an empty list."""
    if value is None or value == "":
        return []
    if not isinstance(value, str | list):
        raise PydanticCustomError("list_type", "Input should be a text or a list of texts")
    return [value] if isinstance(value, str) else value


class StreamOptions(BaseModel):
    """Options of a stream."""

    model_config = ConfigDict(extra="ignore")

    include_usage: StrictBool | None = Field(
        None, description="true: the last chunk before `[DONE]` has the `usage`."
    )


class JsonSchema(BaseModel):
    """The JSON Schema of a structured answer; its name is ignored."""

    model_config = ConfigDict(extra="ignore")

    schema_: dict[str, Any] | None = Field(
        None,
        alias="schema",
        description="The JSON Schema that the answer follows.",
        examples=[{"type": "object", "properties": {"files": {"type": "integer"}}}],
    )


class ResponseFormat(BaseModel):
    """The format of the answer."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text", "json_object", "json_schema"] = Field(
        description="`text`: free text. `json_object`: any JSON object. `json_schema`: JSON that"
        " follows the schema in `json_schema`, or an error."
    )
    json_schema: JsonSchema | None = Field(
        None, description="The schema, if `type` is `json_schema`."
    )

    def answer_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the answer, or None for free text. Raises BadParameter."""
        if self.type == "text":
            return None
        given = self.json_schema.schema_ if self.json_schema else None
        if self.type == "json_schema" and given is None:
            raise BadParameter(
                "response_format.json_schema.schema", "A json_schema must have a schema"
            )
        return given if self.type == "json_schema" and given is not None else {"type": "object"}


_LIMIT = (
    "The most tokens of the answer; -1 is no limit. Where the client has no tools, four ASCII"
    " characters, or one other character, count as a token, and the job ends at the limit."
)

Stop = Annotated[str, Field(min_length=1, max_length=256)]


def _without_unlimited(value: object) -> object:
    """-1 is no limit, for some clients."""
    return None if value == -1 and not isinstance(value, bool) else value


TokenLimit = Annotated[
    Annotated[int, Field(gt=0, strict=True)] | None,
    BeforeValidator(
        _without_unlimited,
        json_schema_input_type=Annotated[int, Field(gt=0)] | Literal[-1] | None,
    ),
]


class CompletionRequest(BaseModel):
    """A request for a chat completion. Unknown parameters are kept, to report what is ignored."""

    model_config = ConfigDict(extra="allow")

    messages: list[Message] = Field(
        min_length=1,
        max_length=MOST_MESSAGES,
        fail_fast=True,
        description="The conversation. The messages after the last assistant message are sent to"
        " Claude; those before are the history; system messages are added to the system prompt.",
    )
    model: str | None = Field(
        None,
        description="A model of `GET /v1/models`, or a full name that begins with `claude-`."
        " Without it, or `claude-code`: DEFAULT_MODEL.",
        examples=["sonnet"],
    )
    stream: StrictBool | None = Field(
        None, description="true: the answer comes in chunks, while the model writes it."
    )
    stream_options: StreamOptions | None = Field(None, description="Options of the stream.")
    stop: Annotated[
        list[Stop],
        Field(max_length=16, fail_fast=True),
        BeforeValidator(_as_list, json_schema_input_type=Stop | list[Stop] | None),
    ] = Field([], description="Texts before which the answer ends, and the job with it.")
    max_tokens: TokenLimit = Field(None, description=_LIMIT)
    max_completion_tokens: TokenLimit = Field(
        None, description="The same as `max_tokens`. If both are there, the smaller one counts."
    )
    response_format: ResponseFormat | None = Field(
        None, description="The format of the answer; without it, free text."
    )
    tools: list[Tool] | None = Field(
        None,
        max_length=MOST,
        fail_fast=True,
        description="Functions that the client carries out. With `tools`, also with `[]`, the model"
        " has these alone; without, Claude works with its own tools in a folder of the gateway's"
        " machine. `claude.mode` chooses otherwise.",
    )
    tool_choice: Annotated[
        Choice | None,
        BeforeValidator(
            as_choice,
            json_schema_input_type=Literal["none", "auto", "required"] | Choice | None,
        ),
    ] = Field(None, description="Which of the `tools` the model may or must call.")
    parallel_tool_calls: StrictBool | None = Field(
        None, description="false: the answer has at most one call."
    )
    web_search_options: dict[str, Any] | None = Field(
        None, description="Claude may search the web. What the options say has no effect."
    )
    metadata: dict[str, Any] | None = Field(
        None, description="Only its `session_id` has an effect: the session to continue."
    )
    conversation_id: str | None = Field(
        None, description="The same as `session_id`.", examples=["holiday"]
    )
    session_id: str | None = Field(
        None,
        description="The session to continue: the `session_id` of an earlier completion, or a name"
        " of your choice, which begins a session of that name. Without it, the session whose"
        " messages are the history continues.",
        examples=["f9645fec-0c0f-4a71-9d51-2a3c1f0b7c1e"],
    )
    claude: dict[str, Any] | None = Field(
        None,
        description="Options of the gateway: the fields of `POST /chat` except `prompt`, and"
        " `mode`, `backend`, `workspace`, `system`, `mcp_allowed_tools`,"
        " `dangerously_skip_permissions` and `events`.",
        examples=[{"cwd": "/tmp", "allowed_tools": ["Read"]}],  # noqa: S108 - an example
    )

    def wants_any_object(self) -> bool:
        """Whether the answer is any JSON object."""
        return self.response_format is not None and self.response_format.type == "json_object"

    def token_limit(self) -> int | None:
        """The most tokens of the answer, or None."""
        given = [
            number for number in (self.max_tokens, self.max_completion_tokens) if number is not None
        ]
        return min(given, default=None)

    def client_tools(self) -> ClientTools | None:
        """The client's tools, if the request has some, or its history has calls.

        Raises BadParameter.
        """
        has_calls = any(message.tool_calls for message in self.messages)
        if self.tools is None and self.tool_choice is None and not has_calls:
            return None
        tools = [
            ClientTool(
                function.name, function.description, function.parameters, bool(function.strict)
            )
            for function in (tool.function for tool in self.tools or [])
        ]
        found = ClientTools(tools, self._tool_choice(), self.parallel_tool_calls is not False)
        check_tools(found, "tools[{}].function.name", "tools[{}].function.parameters")
        return found

    def _tool_choice(self) -> ToolChoice:
        choice = self.tool_choice
        if choice is None:
            return ToolChoice()
        if choice.type != "function":
            return ToolChoice(choice.type)
        if choice.function is None:
            raise BadParameter("tool_choice.function", "A choice of a function must name it")
        return ToolChoice("named", choice.function.name)

    def ignored_parameters(self) -> list[str]:
        """The names of the parameters without an effect, sorted."""
        extra = self.model_extra or {}
        return sorted(
            name for name, value in extra.items() if value is not None and name not in _UNSUPPORTED
        )


def read_completion(body: bytes) -> CompletionRequest:
    """Parse a JSON body.

    Raises InvalidRequest, which names each wrong parameter, and BadParameter for one that the CLI
    cannot obey.
    """
    try:
        request = validate(CompletionRequest, read_object(body))
    except InvalidRequest as error:
        raise error.relocated(_place) from None
    _refuse_unreadable(request.messages)
    for name, harmless in _UNSUPPORTED.items():
        value = (request.model_extra or {}).get(name)
        if value is not None and value not in harmless:
            raise BadParameter(
                name,
                f"Claude Code does not support {name!r}; leave it out",
                "unsupported_parameter",
            )
    return request


def _refuse_unreadable(messages: Sequence[Message]) -> None:
    """Raises BadParameter for a part that the model cannot read and that no answer follows."""
    first = first_unanswered(messages)
    for index, message in enumerate(messages[first:], start=first):
        for number, part in enumerate(message.content):
            if isinstance(part, OtherPart):
                raise BadParameter(
                    f"messages[{index}].content[{number}].type",
                    f"The model cannot read a part of the type {shortened(part.type)!r}: send text,"
                    " image_url or file",
                )


def _place(location: Sequence[str | int]) -> list[str | int]:
    """A place without the type of part, which pydantic adds after the part's index."""
    kinds = {"text", "refusal", "image_url", "file", "other"}
    return [
        part
        for index, part in enumerate(location)
        if not (part in kinds and index and isinstance(location[index - 1], int))
    ]
