"""The messages of the model's API for a conversation. Pure.

In that API (Anthropic's Messages API, version 2023-06-01) a user and an assistant speak in turns.
A tool call is a block of the assistant, and its result a block of the user's next message.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from app.cli import control
from app.conversation.messages import BlockPart, Message, TextPart, ToolCall

Block = dict[str, Any]

#: What the model is asked if the assistant has spoken last.
CONTINUE = "Go on from there."

# What the API accepts as a tool's name and as a call's id.
_NOT_IN_NAME = re.compile("[^a-zA-Z0-9_-]")
_LONGEST_NAME = 128


class ModelMessage(NamedTuple):
    """One message."""

    role: Literal["user", "assistant"]
    blocks: list[Block]


def model_messages(
    messages: Sequence[Message], images: Mapping[str, Block]
) -> tuple[list[ModelMessage], list[Block]]:
    """The messages before the last one, and the blocks of the last one, which is the user's.

    `images` has the block of each image's URL. Messages without content are left out; without any
    other, there are no blocks. A result without its call, and a message in the middle that is the
    system's, become a user's text.
    """
    found = list(_joined(messages, images))
    if not found:
        return [], []
    if found[-1].role == "assistant":
        found.append(ModelMessage("user", [_text(CONTINUE)]))
    return found[:-1], found[-1].blocks


def history_lines(history: Sequence[ModelMessage]) -> bytes:
    """The messages as lines for the CLI's standard input."""
    return b"".join(
        control.message(blocks) if role == "user" else control.answer(blocks)
        for role, blocks in history
    )


def _joined(messages: Sequence[Message], images: Mapping[str, Block]) -> Iterator[ModelMessage]:
    """The messages, with those of the user between two of the assistant as one."""
    user = _UserMessage(images, ())
    for number, message in enumerate(messages):
        if message.role == "assistant":
            yield from user.finished()
            calls = _Calls(message.tool_calls, number)
            blocks = [*_parts(message, images), *calls.blocks]
            if blocks:
                yield ModelMessage("assistant", blocks)
            user = _UserMessage(images, calls.ids)
        else:
            user.add(message)
    yield from user.finished()


class _UserMessage:
    """A user's message under construction; the calls before it may get their results."""

    def __init__(self, images: Mapping[str, Block], calls: Sequence[tuple[str, str]]) -> None:
        self._images = images
        self._calls = list(calls)
        self._results: list[Block] = []
        self._blocks: list[Block] = []

    def add(self, message: Message) -> None:
        blocks = list(_parts(message, self._images))
        if message.role in ("tool", "function"):
            self._add_result(message, blocks)
        elif message.role == "user":
            self._blocks += [_text(f"{message.name}:")] if message.name and blocks else []
            self._blocks += blocks
        elif blocks:
            self._blocks.append(_text(f"<system-reminder>\n{message.text()}\n</system-reminder>"))

    def finished(self) -> Iterator[ModelMessage]:
        blocks = [*self._results, *self._blocks]
        if blocks:
            yield ModelMessage("user", blocks)

    def _add_result(self, message: Message, blocks: list[Block]) -> None:
        for call in self._calls:
            if message.call_id == call[0] or (message.call_id is None and message.name == call[1]):
                self._calls.remove(call)
                result = {"type": "tool_result", "tool_use_id": _safe(call[0]), "content": blocks}
                is_error = {"is_error": True} if message.is_error else {}
                self._results.append({**result, **is_error})
                return
        name = message.name or message.call_id or "a tool"
        self._blocks += [_text(f"Result of {name}:"), *blocks]


class _Calls:
    """The tool calls of an assistant's message: their blocks, and the id and name of each."""

    def __init__(self, calls: Sequence[ToolCall], message_number: int) -> None:
        self.ids: list[tuple[str, str]] = []
        self.blocks: list[Block] = []
        for number, call in enumerate(calls):
            if call.name is None:
                continue
            call_id = call.id or f"call_{message_number}_{number}"
            self.ids.append((call_id, call.name))
            block = {"type": "tool_use", "id": _safe(call_id), "name": _safe(call.name)}
            self.blocks.append({**block, "input": _arguments(call.arguments)})


def _parts(message: Message, images: Mapping[str, Block]) -> Iterator[Block]:
    for part in message.parts:
        if isinstance(part, BlockPart):
            yield dict(part.block)
        elif not isinstance(part, TextPart):
            yield images[part.url]
        elif part.text.strip():
            # The API refuses a text of white space.
            yield _text(part.text)


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _safe(name: str) -> str:
    return _NOT_IN_NAME.sub("_", name)[:_LONGEST_NAME] or "_"


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = text
    return found if isinstance(found, dict) else {"arguments": found}
