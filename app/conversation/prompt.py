"""The messages of a conversation as one user message, for a CLI that takes only one. Pure."""

import json
import secrets
from collections.abc import Mapping, Sequence

from app.conversation.messages import BlockPart, Message, TextPart
from app.conversation.model_messages import CONTINUE, Block

_HISTORY = (
    "This conversation has taken place so far. Go on with it: what comes after it is to be"
    " answered now."
)


def compose(
    history: Sequence[Message],
    new: Sequence[Message],
    images: Mapping[str, Block],
    tag: str | None = None,
) -> list[Block]:
    """The content blocks of one user message with the history and the new messages.

    The messages of the history are between tags with a random name, so that no text in them can
    look like another message. `images` has the block of each image's URL.
    """
    tag = tag or f"message-{secrets.token_hex(8)}"
    blocks = _BlockList(images)
    if history:
        blocks.add_text(_HISTORY)
        for message in history:
            blocks.add_tagged(tag, message)
        blocks.end_block()
    for message in new:
        if message.role == "user" and not message.name:
            blocks.add_parts(message)
        else:
            blocks.add_tagged(tag, message)
        blocks.end_block()
    if not any(message.role == "user" for message in new):
        blocks.add_text(CONTINUE)
    blocks.end_block()
    return blocks.blocks


def plain_text(blocks: Sequence[Block]) -> str:
    """The text of the blocks, without images.

    >>> plain_text([{"type": "text", "text": "a"}, {"type": "image"}])
    'a'
    """
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")


class _BlockList:
    """Content blocks under construction. Texts are joined until `end_block`."""

    def __init__(self, images: Mapping[str, Block]) -> None:
        self.blocks: list[Block] = []
        self._images = images
        self._texts: list[str] = []

    def add_text(self, text: str) -> None:
        if text:
            self._texts.append(text)

    def add_parts(self, message: Message) -> None:
        for part in message.parts:
            if isinstance(part, TextPart):
                self.add_text(part.text)
            else:
                self.end_block()
                self.blocks.append(
                    dict(part.block) if isinstance(part, BlockPart) else self._images[part.url]
                )

    def add_tagged(self, tag: str, message: Message) -> None:
        name = f" name={json.dumps(message.name)}" if message.name else ""
        self.add_text(f'<{tag} role="{message.role}"{name}>')
        self.add_parts(message)
        for call in message.tool_calls:
            if call.name is not None:
                self.add_text(f"[called {call.name}({call.arguments})]")
        self.add_text(f"</{tag}>")

    def end_block(self) -> None:
        if self._texts:
            self.blocks.append({"type": "text", "text": "\n".join(self._texts)})
            self._texts = []
