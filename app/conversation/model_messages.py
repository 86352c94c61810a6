"""The messages of the model's API for a conversation. Pure.

In that API (Anthropic's Messages API, version 2023-06-01) a user and an assistant speak in turns.
A tool call is a block of the assistant, and its result a block of the user's next message.
"""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from app.cli import control
from app.conversation.messages import BlockPart, Message, TextPart, ToolCall
from app.json_depth import is_deep

Block = dict[str, Any]

#: What the model is asked if the assistant has spoken last.
CONTINUE = "Go on from there."

# What the API accepts as a tool's name and as a call's id.
_NOT_IN_NAME = re.compile("[^a-zA-Z0-9_-]")
_LONGEST_NAME = 128
_NUMBER = re.compile(r"_[0-9]+\Z")


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
    ids = _CallIds()
    for number, message in enumerate(messages):
        if message.role == "assistant":
            yield from user.finished()
            known = [call for call in message.tool_calls if call.name is not None]
            calls = [
                _Call(call.id, str(call.name), ids.new(call.id or f"call_{number}_{place}"))
                for place, call in enumerate(known)
            ]
            blocks = [*_parts(message, images), *map(_tool_use, calls, known)]
            if blocks:
                yield ModelMessage("assistant", blocks)
            user = _UserMessage(images, calls)
        else:
            user.add(message)
    yield from user.finished()


class _UserMessage:
    """A user's message under construction; the calls before it may get their results."""

    def __init__(self, images: Mapping[str, Block], calls: Sequence["_Call"]) -> None:
        self._images = images
        self._calls = _OpenCalls(calls)
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
        call = self._calls.take(message)
        if call is None:
            name = message.name or message.call_id or "a tool"
            self._blocks += [_text(f"Result of {name}:"), *blocks]
            return
        result = {"type": "tool_result", "tool_use_id": call.model_id, "content": blocks}
        self._results.append({**result, **({"is_error": True} if message.is_error else {})})


class _Call(NamedTuple):
    """A tool call: its id and name in the client's request, and its id for the model."""

    id: str | None
    name: str
    model_id: str


class _OpenCalls:
    """The calls of an assistant's message that have no result yet."""

    def __init__(self, calls: Sequence[_Call]) -> None:
        self._all = deque(calls)
        self._by_id: dict[str | None, deque[_Call]] = {}
        self._by_name: dict[str, deque[_Call]] = {}
        self._taken: set[str] = set()
        for call in calls:
            self._by_id.setdefault(call.id, deque()).append(call)
            self._by_name.setdefault(call.name, deque()).append(call)

    def take(self, result: Message) -> _Call | None:
        """The first open call with the result's id; without an id, with its name, if it has one."""
        if result.call_id:
            found = self._by_id.get(result.call_id, deque())
        else:
            found = self._by_name.get(result.name, deque()) if result.name else self._all
        while found:
            call = found.popleft()
            if call.model_id not in self._taken:
                self._taken.add(call.model_id)
                return call
        return None


class _CallIds:
    """The ids of calls for the model, in which no two calls of a conversation have the same one.

    Some clients begin to count anew in each message. The CLI loses the later call, and it takes
    `x_2` for a second `x` (2.1.330).
    """

    def __init__(self) -> None:
        # How often each id was wanted, and the ids for which the CLI could take one of these.
        self._used: dict[str, int] = {}
        self._first: set[str] = set()

    def new(self, wanted: str) -> str:
        """The id that is wanted, as far as the model's API accepts it, or one like it."""
        base = found = _safe(wanted)
        while found in self._used or found in self._first or _without_number(found) in self._used:
            self._used[base] = self._used.get(base, 0) + 1
            found = f"{base[: _LONGEST_NAME - 8]}-{self._used[base]}"
        self._used.setdefault(found, 1)
        self._first.add(_without_number(found))
        return found


def _without_number(call_id: str) -> str:
    """An id without the number at its end.

    >>> _without_number("call_1_2"), _without_number("toolu_01x"), _without_number("call_1-2")
    ('call_1', 'toolu_01x', 'call_1-2')
    """
    return _NUMBER.sub("", call_id)


def _tool_use(call: _Call, source: ToolCall) -> Block:
    block = {"type": "tool_use", "id": call.model_id, "name": _safe(call.name)}
    return {**block, "input": _arguments(source.arguments)}


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
        # The CLI reads no NaN, the model's API no half of a surrogate pair.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        found = text
    if not isinstance(found, dict) or is_deep(found):
        return {"arguments": text if is_deep(found) else found}
    return found
