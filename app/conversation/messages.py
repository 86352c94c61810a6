"""Messages of a conversation, as clients of the chat APIs send them. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

#: Messages of a request, and parts of a message.
MOST_MESSAGES = 10_000

_SYSTEM = ("system", "developer")


class TextPart(BaseModel):
    """A text."""

    type: Literal["text"]
    text: str


class RefusalPart(BaseModel):
    """What an assistant refused with."""

    type: Literal["refusal"]
    refusal: str


class ImageUrl(BaseModel):
    """Where an image is: http(s), a data URL, or a path; `detail` is not ours to choose."""

    url: str = Field(min_length=1)


class ImagePart(BaseModel):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | RefusalPart | ImagePart, Field(discriminator="type")]


def _as_parts(content: object) -> object:
    """A text alone is a list of one part, and no content is an empty list."""
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
    tool_calls: (
        Annotated[list[dict[str, Any]], Field(max_length=MOST_MESSAGES, fail_fast=True)] | None
    ) = None

    def text(self) -> str:
        """All its text, images left out."""
        texts = [
            part.text if isinstance(part, TextPart) else part.refusal
            for part in self.content
            if not isinstance(part, ImagePart)
        ]
        return "".join(texts)


class Conversation(NamedTuple):
    """Messages by what becomes of them: `system` texts come before all others."""

    system: str
    messages: list[Message]


def split(messages: Sequence[Message]) -> Conversation:
    """Take the system prompt off: the system and developer messages that come first."""
    count = 0
    while count < len(messages) and messages[count].role in _SYSTEM:
        count += 1
    system = "\n\n".join(text for message in messages[:count] if (text := message.text()))
    return Conversation(system, list(messages[count:]))


def first_new(messages: Sequence[Message]) -> int:
    """The index of the first message that nobody has answered yet."""
    answered = [index for index, message in enumerate(messages) if message.role == "assistant"]
    return answered[-1] + 1 if answered else 0


def image_urls(messages: Sequence[Message]) -> list[str]:
    """The images in these messages, each once, in order."""
    urls = [
        part.image_url.url
        for message in messages
        for part in message.content
        if isinstance(part, ImagePart)
    ]
    return list(dict.fromkeys(urls))
