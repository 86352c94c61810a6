"""The messages of a conversation, whichever chat API they arrived by. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

_SYSTEM_ROLES = ("system", "developer")


class TextPart(NamedTuple):
    """A text in a message."""

    text: str


class ImagePart(NamedTuple):
    """An image in a message, by its http(s) URL, data URL or path."""

    url: str


class BlockPart(NamedTuple):
    """A part of a message as the model's API has it, such as a document."""

    block: Mapping[str, Any]

    @property
    def is_thinking(self) -> bool:
        """Whether it is what the model thought before it answered."""
        return self.block.get("type") in ("thinking", "redacted_thinking")


Part = TextPart | ImagePart | BlockPart


class ToolCall(NamedTuple):
    """A tool call in an assistant's message. Without a `name` it has no known form.

    `arguments` is JSON. `source` is the JSON object of the client's request, by which conversations
    are compared.
    """

    name: str | None
    arguments: str
    source: Mapping[str, Any]
    id: str | None = None


class Message(NamedTuple):
    """One message. `role` and `name` are those of the client's request.

    `call_id` is the id of the tool call of which this is the result, and `is_error` whether the
    tool has failed.
    """

    role: str
    parts: Sequence[Part]
    name: str | None = None
    tool_calls: Sequence[ToolCall] = ()
    call_id: str | None = None
    is_error: bool = False

    def text(self) -> str:
        """All its text, without images."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


class HasRole(Protocol):
    """A message in any form."""

    @property
    def role(self) -> str:
        """Who has written it."""


class Conversation(NamedTuple):
    """The system prompt of a conversation, and the messages after it."""

    system: str
    messages: list[Message]


def split_system_prompt(messages: Sequence[Message]) -> Conversation:
    """Separate the first system and developer messages from the others."""
    count = 0
    while count < len(messages) and messages[count].role in _SYSTEM_ROLES:
        count += 1
    system = "\n\n".join(text for message in messages[:count] if (text := message.text()))
    return Conversation(system, list(messages[count:]))


def first_unanswered(messages: Sequence[HasRole]) -> int:
    """The index of the first message after the last assistant message."""
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    return answers[-1] + 1 if answers else 0


def image_urls(messages: Sequence[Message]) -> list[str]:
    """The URLs of the images in these messages, in order and without duplicates."""
    urls = [
        part.url for message in messages for part in message.parts if isinstance(part, ImagePart)
    ]
    return list(dict.fromkeys(urls))
