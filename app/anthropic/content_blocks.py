"""The blocks of messages in the body of `POST /v1/messages`. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StrictBool, Tag
from pydantic_core import PydanticCustomError

from app.conversation import messages
from app.text import shortened

#: The most blocks of a message.
MOST_BLOCKS = 10_000


class _Block(BaseModel):
    """A block; what is not named here is passed on to the model."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="The type of the block.")

    def verbatim(self) -> messages.BlockPart:
        """The block as it is, without the places where caching is wanted: the CLI decides these."""
        return messages.BlockPart(_without_cache_control(self.model_dump(exclude_unset=True)))


class TextBlock(_Block):
    """A text, of the type `text`."""

    text: str = Field(description="The text.", examples=["What is a pipe?"])


class Base64Source(BaseModel):
    """The content itself."""

    model_config = ConfigDict(extra="allow")

    type: Literal["base64"] = Field(description="Always `base64`.")
    media_type: str = Field(
        min_length=1, description="The type of the content.", examples=["image/png"]
    )
    data: str = Field(min_length=1, description="The content in base64.", examples=["iVBORw0KGgo="])


class OtherSource(BaseModel):
    """A place from which the model's API gets the content, or a text."""

    model_config = ConfigDict(extra="allow")

    type: Literal["url", "file", "text", "content"] = Field(
        description="What else the source has: a `url`, a `file_id`, a text in `data`, or blocks in"
        " `content`."
    )


class SourceBlock(_Block):
    """An image or a document, of the type `image` or `document`."""

    source: Annotated[Base64Source | OtherSource, Field(discriminator="type")] = Field(
        description="The content, or where it is."
    )


class ThinkingBlock(_Block):
    """What the model thought, with the signature of the model's API."""

    thinking: str = Field(description="The text.")
    signature: str = Field("", description="The signature, unchanged: the model's API checks it.")


class ToolUseBlock(_Block):
    """A call of one of the client's tools."""

    id: str = Field(min_length=1, description="The id of the call.", examples=["toolu_01"])
    name: str = Field(min_length=1, description="The name of the tool.", examples=["weather"])
    input: dict[str, Any] = Field(description="The input of the tool.", examples=[{"city": "Oslo"}])


class OtherBlock(_Block):
    """A block of another type."""


def _kind_of(block: object) -> str:
    kind = block.get("type") if isinstance(block, dict) else getattr(block, "type", None)
    return _KINDS.get(kind, "other") if isinstance(kind, str) else "other"


_KINDS = {
    "text": "text",
    "image": "source",
    "document": "source",
    "thinking": "thinking",
    "tool_use": "tool_use",
    "tool_result": "tool_result",
}
_Part = (
    Annotated[TextBlock, Tag("text")]
    | Annotated[SourceBlock, Tag("source")]
    | Annotated[ThinkingBlock, Tag("thinking")]
    | Annotated[ToolUseBlock, Tag("tool_use")]
    | Annotated[OtherBlock, Tag("other")]
)


def as_blocks(content: object) -> object:
    """A text is a list of one block; None stays what it is."""
    if not isinstance(content, str | list | None):
        raise PydanticCustomError("list_type", "Input should be a text or a list of blocks")
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _as_result(content: object) -> object:
    return [] if content in (None, "") else as_blocks(content)


class ToolResultBlock(_Block):
    """The result of a call."""

    tool_use_id: str = Field(
        min_length=1, description="The `id` of the call.", examples=["toolu_01"]
    )
    content: Annotated[
        list[Annotated[_Part, Discriminator(_kind_of)]],
        Field(max_length=MOST_BLOCKS, fail_fast=True),
        BeforeValidator(_as_result, json_schema_input_type=str | list[dict[str, Any]] | None),
    ] = Field([], description="A text, or blocks.", examples=["It rains in Oslo."])
    is_error: StrictBool | None = Field(None, description="Whether the tool has failed.")


Block = Annotated[_Part | Annotated[ToolResultBlock, Tag("tool_result")], Discriminator(_kind_of)]
#: The tags above, which pydantic adds to the place of an error.
TAGS = {*_KINDS.values(), "other"}
SOURCE_TYPES = ("base64", "url", "file", "text", "content")


class AnthropicInputMessage(BaseModel):
    """One message of the conversation."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["user", "assistant", "system"] = Field(
        description="Who has written it. `system`: a reminder to the model."
    )
    content: Annotated[
        list[Block],
        Field(max_length=MOST_BLOCKS, fail_fast=True),
        BeforeValidator(as_blocks, json_schema_input_type=str | list[dict[str, Any]]),
    ] = Field(
        description="A text, or blocks. The types of blocks are those of Anthropic's API: `text`,"
        " `image`, `document`, `tool_use`, `tool_result`, …",
        examples=["What is a pipe?"],
    )

    def neutral(self) -> Iterator[messages.Message]:
        """The message without Anthropic's format: the results of tools are messages of their own.

        In the model's API, too, they come before the user's text.
        """
        calls = []
        rest: list[messages.Part] = []
        for block in self.content:
            if isinstance(block, ToolResultBlock):
                parts = [_part(part) for part in block.content]
                is_error = block.is_error is True
                yield messages.Message("tool", parts, None, (), block.tool_use_id, is_error)
            elif isinstance(block, ToolUseBlock):
                arguments = json.dumps(block.input)
                calls.append(messages.ToolCall(block.name, arguments, {}, block.id))
            elif self._can_be_read(block):
                rest.append(_part(block))
            else:
                kind = shortened(block.type)
                rest.append(messages.TextPart(f"[A block of the type {kind} was here.]"))
        if rest or calls:
            yield messages.Message(self.role, rest, None, calls)

    def unreadable(self) -> tuple[int, str] | None:
        """The number and type of the first block that the model cannot read in this message."""
        for number, block in enumerate(self.content):
            if not self._can_be_read(block):
                return number, shortened(block.type)
        return None

    def _can_be_read(self, block: _Block) -> bool:
        known = tuple(_READABLE[self.role])
        return isinstance(block, known) or block.type in _OTHERS.get(self.role, ())


_READABLE: Mapping[str, Sequence[type[_Block]]] = {
    "user": (TextBlock, SourceBlock, ToolResultBlock),
    "assistant": (_Block,),
    "system": (TextBlock,),
}
_OTHERS = {"user": ("search_result",)}


def _part(block: _Block) -> messages.Part:
    if isinstance(block, TextBlock):
        return messages.TextPart(block.text)
    if block.type == "tool_reference":
        # All tools are there without a search.
        name = shortened(str((block.model_extra or {}).get("tool_name")))
        return messages.TextPart(f"The tool {name} can be called.")
    return block.verbatim()


def _without_cache_control(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_cache_control(each) for each in value]
    if isinstance(value, dict):
        return {
            name: _without_cache_control(each)
            for name, each in value.items()
            if name != "cache_control"
        }
    return value
