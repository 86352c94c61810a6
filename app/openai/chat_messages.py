"""The messages in the body of `POST /v1/chat/completions`. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.conversation import messages

#: The most messages of a request, parts of a message and tool calls of a message.
MOST_MESSAGES = 10_000


class TextPart(BaseModel):
    """A text."""

    type: Literal["text"]
    text: str


class RefusalPart(BaseModel):
    """An assistant's refusal."""

    type: Literal["refusal"]
    refusal: str


class ImageUrl(BaseModel):
    """An image's http(s) URL, data URL or path; `detail` is ignored."""

    url: str = Field(min_length=1)


class ImagePart(BaseModel):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | RefusalPart | ImagePart, Field(discriminator="type")]


def _as_parts(content: object) -> object:
    """A string is a list of one part; null and the empty string are an empty list."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content


class Message(BaseModel):
    """One message of the conversation."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[
        list[Part],
        Field(max_length=MOST_MESSAGES, fail_fast=True),
        BeforeValidator(_as_parts, json_schema_input_type=str | list[Part] | None),
    ] = []
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: (
        Annotated[list[dict[str, Any]], Field(max_length=MOST_MESSAGES, fail_fast=True)] | None
    ) = None

    def neutral(self) -> messages.Message:
        """The message without OpenAI's format."""
        return messages.Message(
            self.role,
            [_neutral_part(part) for part in self.content],
            self.name,
            [_neutral_call(call) for call in self.tool_calls or []],
            self.tool_call_id,
        )


def _neutral_part(
    part: TextPart | RefusalPart | ImagePart,
) -> messages.TextPart | messages.ImagePart:
    if isinstance(part, ImagePart):
        return messages.ImagePart(part.image_url.url)
    return messages.TextPart(part.text if isinstance(part, TextPart) else part.refusal)


def _neutral_call(call: Mapping[str, Any]) -> messages.ToolCall:
    function = call.get("function")
    if not isinstance(function, dict):
        return messages.ToolCall(None, "", call)
    call_id = call.get("id")
    return messages.ToolCall(
        str(function.get("name")),
        str(function.get("arguments")),
        call,
        call_id if isinstance(call_id, str) else None,
    )
