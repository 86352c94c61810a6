"""An estimate of the tokens of a conversation: the model's tokenizer is not public. Pure."""

import json
from collections.abc import Iterable

from app.conversation.client_tools import ClientTools
from app.conversation.messages import BlockPart, Message, TextPart

# Tokens of an image or a document: an image has at most about so many, and so has a page.
_BINARY = 1600
# Tokens of each message beside its content.
_MESSAGE = 4


def estimated_tokens(messages: Iterable[Message], tools: ClientTools) -> int:
    """The tokens of the messages and tools, at least 1.

    >>> estimated_tokens([Message("user", [TextPart("hello, world")])], ClientTools([]))
    7
    """
    count = 0.0
    for message in messages:
        count += _MESSAGE + sum(_part(part) for part in message.parts)
        count += sum(_text(call.name or "") + _text(call.arguments) for call in message.tool_calls)
    for tool in tools.offered():
        schema = json.dumps(tool.parameters or {})
        count += _text(tool.name) + _text(tool.description or "") + _text(schema)
    return max(1, round(count))


def _part(part: object) -> float:
    if isinstance(part, TextPart):
        return _text(part.text)
    if isinstance(part, BlockPart) and part.is_thinking:
        return _text(str(part.block.get("thinking", "")))
    return _BINARY


def _text(text: str) -> float:
    """Four ASCII characters, or one other character, count as a token."""
    others = 0 if text.isascii() else len(text) - sum(map(str.isascii, text))
    return (len(text) - others) / 4 + others
