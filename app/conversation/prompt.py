"""A conversation's messages as one message of the CLI's user. Pure."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from app.conversation.messages import ImagePart, Message, TextPart

Block = dict[str, Any]

_HISTORY = (
    "This conversation has taken place so far. Go on with it: what comes after it is to be"
    " answered now."
)
_GO_ON = "Go on from there."


def compose(
    history: Sequence[Message],
    new: Sequence[Message],
    images: Mapping[str, Block],
    tag: str | None = None,
) -> list[Block]:
    """The blocks of one user's message: what was said before, and what is new.

    The history stands between tags of a name that nobody can have known, so that nothing that
    was said can pass for somebody else's words. `images` has the block of each image's URL.
    """
    tag = tag or f"message-{secrets.token_hex(8)}"
    page = _Page(images)
    if history:
        page.write(_HISTORY)
        for message in history:
            page.write_tagged(tag, message)
        page.end_block()
    for message in new:
        if message.role == "user" and not message.name:
            page.write_parts(message)
        else:
            page.write_tagged(tag, message)
        page.end_block()
    if not any(message.role == "user" for message in new):
        page.write(_GO_ON)
    page.end_block()
    return page.blocks


def plain(blocks: Sequence[Block]) -> str:
    """The text of these blocks, for whoever counts its letters.

    >>> plain([{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}])
    'a\\nb'
    """
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")


class _Page:
    """Blocks as they are written; texts that follow each other are one block."""

    def __init__(self, images: Mapping[str, Block]) -> None:
        self.blocks: list[Block] = []
        self._images = images
        self._texts: list[str] = []

    def write(self, text: str) -> None:
        if text:
            self._texts.append(text)

    def write_parts(self, message: Message) -> None:
        for part in message.content:
            if isinstance(part, ImagePart):
                self.end_block()
                self.blocks.append(self._images[part.image_url.url])
            else:
                self.write(part.text if isinstance(part, TextPart) else part.refusal)

    def write_tagged(self, tag: str, message: Message) -> None:
        name = f" name={json.dumps(message.name)}" if message.name else ""
        self.write(f'<{tag} role="{message.role}"{name}>')
        self.write_parts(message)
        for call in _calls(message):
            self.write(f"[called {call}]")
        self.write(f"</{tag}>")

    def end_block(self) -> None:
        if self._texts:
            self.blocks.append({"type": "text", "text": "\n".join(self._texts)})
            self._texts = []


def _calls(message: Message) -> list[str]:
    functions = [call.get("function") for call in message.tool_calls or []]
    return [
        f"{function.get('name')}({function.get('arguments')})"
        for function in functions
        if isinstance(function, dict)
    ]
