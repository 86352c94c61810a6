"""The body of a request for a message, or for its tokens. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from app.anthropic.content_blocks import SOURCE_TYPES, TAGS, AnthropicInputMessage, as_blocks
from app.cli.field_types import Effort
from app.conversation.client_tools import MOST, ClientTool, ClientTools, ToolChoice, check_tools
from app.conversation.errors import BadParameter
from app.conversation.messages import Message as NeutralMessage
from app.conversation.messages import TextPart, first_unanswered
from app.errors import InvalidRequest
from app.json_body import read_object, validate
from app.text import shortened

#: The most messages of a request.
MOST_MESSAGES = 10_000
# A line that Claude Code puts before its system prompt, with another number in each request. It is
# for the bill of the account that it believes to use.
_BILLING = "x-anthropic-billing-header:"
# Tools that the model's API carries out, and that are not needed here: all tools are there at once.
_NOT_NEEDED = "tool_search_tool_"
_CHOICES: dict[str, Literal["auto", "none", "required", "named"]] = {
    "auto": "auto",
    "none": "none",
    "any": "required",
    "tool": "named",
}


class SystemBlock(BaseModel):
    """A text of the system prompt."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text"] = Field(description="Always `text`.")
    text: str = Field(description="The text.")


class AnthropicTool(BaseModel):
    """A tool that the client carries out."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(description="The name by which the model calls it.", examples=["weather"])
    type: str | None = Field(
        None, description="`custom`, or nothing. Tools of Anthropic's servers are not supported."
    )
    description: str | None = Field(
        None,
        description="What it does, and when the model should call it.",
        examples=["The weather in a city"],
    )
    input_schema: dict[str, Any] | None = Field(
        None,
        description="The JSON Schema of its input, which is an object.",
        examples=[{"type": "object", "properties": {"city": {"type": "string"}}}],
    )
    strict: StrictBool | None = Field(
        None, description="true: the input of a call follows the schema, or the request fails."
    )


class AnthropicToolChoice(BaseModel):
    """Which tools the model may or must call; `name` belongs to the type `tool`."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["auto", "any", "tool", "none"] = Field(
        description="`auto`: the model decides. `any`: at least one tool. `tool`: the one in"
        " `name`. `none`: no tool."
    )
    name: str | None = Field(default=None, description="The tool to call, if `type` is `tool`.")
    disable_parallel_tool_use: StrictBool = Field(
        default=False, description="true: the message has at most one call."
    )


class Thinking(BaseModel):
    """Whether the model thinks before it answers."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["enabled", "adaptive", "disabled"] = Field(
        description="`disabled`: it does not think. The others: it may think, as much as the CLI"
        " chooses."
    )
    budget_tokens: int | None = Field(
        None,
        gt=0,
        strict=True,
        description="The most tokens of thought, for the models that have such a limit.",
    )


class OutputFormat(BaseModel):
    """The JSON Schema of the answer."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["json_schema"] = Field(description="Always `json_schema`.")
    schema_: dict[str, Any] = Field(
        alias="schema",
        description="The JSON Schema that the message follows.",
        examples=[{"type": "object", "properties": {"files": {"type": "integer"}}}],
    )


class OutputConfig(BaseModel):
    """How the model answers."""

    model_config = ConfigDict(extra="ignore")

    effort: Effort | None = Field(None, description="How much effort the model makes.")
    format: OutputFormat | None = Field(
        None, description="The format of the message; without it, free text."
    )


class CountRequest(BaseModel):
    """A conversation whose tokens are counted."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(
        min_length=1,
        description="A model of `GET /v1/models`, or a full name that begins with `claude-`.",
        examples=["sonnet"],
    )
    messages: list[AnthropicInputMessage] = Field(
        min_length=1,
        max_length=MOST_MESSAGES,
        fail_fast=True,
        description="The whole conversation. The last message must not be the assistant's.",
    )
    system: Annotated[
        list[SystemBlock] | None,
        BeforeValidator(as_blocks, json_schema_input_type=str | list[SystemBlock] | None),
    ] = Field(
        None, description="The system prompt: a text, or blocks.", examples=["Answer briefly."]
    )
    tools: list[AnthropicTool] | None = Field(
        None,
        max_length=MOST,
        fail_fast=True,
        description="Tools that the client carries out. The model has these alone.",
    )
    tool_choice: AnthropicToolChoice | None = Field(
        None, description="Which of the `tools` the model may or must call."
    )

    def conversation(self) -> list[NeutralMessage]:
        """The messages without Anthropic's format, the system prompt first."""
        return [*self._system(), *(each for message in self.messages for each in message.neutral())]

    def client_tools(self) -> ClientTools:
        """The client's tools. Raises BadParameter."""
        tools = [
            ClientTool(tool.name, tool.description, tool.input_schema, bool(tool.strict))
            for index, tool in enumerate(self.tools or [])
            if _is_the_clients(tool, f"tools.{index}")
        ]
        choice = self.tool_choice or AnthropicToolChoice(type="auto")
        if choice.type == "tool" and choice.name is None:
            raise BadParameter("tool_choice.name", "A choice of the type 'tool' has a name")
        name = choice.name if choice.type == "tool" else None
        found = ClientTools(
            tools, ToolChoice(_CHOICES[choice.type], name), not choice.disable_parallel_tool_use
        )
        check_tools(found, "tools.{}.name", "tools.{}.input_schema")
        return found

    def check(self) -> None:
        """Raises BadParameter for a conversation that the model cannot answer."""
        last = len(self.messages) - 1
        if self.messages[last].role == "assistant":
            raise BadParameter(
                f"messages.{last}.role",
                "An answer that begins with the client's words is not supported: the last message"
                " must be the user's",
            )
        unanswered = first_unanswered(self.messages)
        for index, message in enumerate(self.messages):
            if not message.content and message.role != "assistant":
                raise BadParameter(f"messages.{index}.content", "A message must have content")
            found = message.unreadable() if index >= unanswered else None
            if found:
                raise BadParameter(
                    f"messages.{index}.content.{found[0]}.type",
                    f"A message of the role {message.role!r} cannot have a block of the type"
                    f" {found[1]!r}",
                )

    def _system(self) -> Iterator[NeutralMessage]:
        for block in self.system or []:
            if not block.text.startswith(_BILLING):
                yield NeutralMessage("system", [TextPart(block.text)])


class MessageRequest(CountRequest):
    """A request for a message. Unknown parameters are kept, to report what is ignored."""

    max_tokens: int = Field(
        gt=0, strict=True, description="The most tokens of the message.", examples=[1000]
    )
    stream: StrictBool | None = Field(
        None, description="true: the message comes in events, while the model writes it."
    )
    stop_sequences: list[Annotated[str, Field(min_length=1, max_length=256)]] | None = Field(
        None,
        max_length=16,
        fail_fast=True,
        description="Texts before which the message ends, and the job with it.",
    )
    thinking: Thinking | None = Field(
        None, description="Whether the model thinks; without it, it does not."
    )
    output_config: OutputConfig | None = Field(
        None, description="The effort of the model, and the format of the message."
    )
    output_format: OutputFormat | None = Field(
        None, description="The same as `output_config.format`, which takes precedence."
    )
    mcp_servers: list[Any] | None = Field(
        None, max_length=0, description="Not supported: must be empty."
    )
    claude: dict[str, Any] | None = Field(
        None,
        description="Options of the gateway: `mode`, and the fields `tools`, `detach`, `effort`,"
        " `fallback_model`, `idle_timeout`, `max_budget_usd`, `timeout` and `title` of"
        " `POST /chat`; in agent mode all of its fields.",
        examples=[{"timeout": 60}],
    )

    def answer_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the answer, if the client wants one."""
        wanted = (self.output_config and self.output_config.format) or self.output_format
        return wanted.schema_ if wanted else None

    def thinking_tokens(self) -> int | None:
        """The most tokens of thought, as the model's API has it: none without `thinking`."""
        if self.thinking is None or self.thinking.type == "disabled":
            return 0
        return self.thinking.budget_tokens

    def ignored_parameters(self) -> list[str]:
        """The names of the parameters without an effect, sorted."""
        extra = self.model_extra or {}
        return sorted(name for name, value in extra.items() if value is not None)


Request = TypeVar("Request", bound=CountRequest)


def read_request(model: type[Request], body: bytes) -> Request:
    """Parse a JSON body. Raises what `read_fields` does."""
    return read_fields(model, read_object(body))


def read_fields(model: type[Request], fields: Mapping[str, Any]) -> Request:
    """The request with these fields.

    Raises InvalidRequest, which names each wrong parameter, and BadParameter for one that the CLI
    cannot obey.
    """
    try:
        request = validate(model, fields)
    except InvalidRequest as error:
        raise error.relocated(_place) from None
    request.check()
    return request


def _is_the_clients(tool: AnthropicTool, place: str) -> bool:
    """Whether the client carries out a tool. Raises BadParameter if only the model's API could."""
    if tool.type in (None, "custom"):
        if tool.input_schema is None:
            raise BadParameter(f"{place}.input_schema", "A tool must have an input_schema")
        return True
    kind = str(tool.type)
    if kind.startswith(_NOT_NEEDED):
        return False
    raise BadParameter(
        f"{place}.type",
        f"Tools of the type {shortened(kind)!r} are not supported: only tools with an"
        " input_schema, which the client carries out",
    )


def _place(location: Sequence[str | int]) -> list[str | int]:
    """A place without the types of block and source, which pydantic adds."""
    return [
        part
        for number, part in enumerate(location)
        if not (part in TAGS and list(location[number - 2 : number - 1]) == ["content"])
        and not (part in SOURCE_TYPES and location[number - 1] == "source")
    ]
