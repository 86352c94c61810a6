"""The events of the model's API for the answer of an agent. Pure.

An agent's answer is the text of several messages, and the calls of the client's tools. What it does
with the CLI's own tools is not part of it: a client would try to carry that out.
"""

from collections.abc import Iterator
from typing import Any

from app.conversation.events import AnswerEvent, CallDelta, CallStart, TextDelta
from app.conversation.usage import TokenUsage


class AgentMessage:
    """Makes the blocks of one message, numbered anew."""

    def __init__(self) -> None:
        self._number = -1
        # The type of the block that is open.
        self._open: str | None = None

    def events(self, event: AnswerEvent) -> Iterator[dict[str, Any]]:
        """The events for one of the answer's; none for one that has no place in a message."""
        if isinstance(event, TextDelta):
            if self._open != "text":
                yield from self._begin({"type": "text", "text": ""})
            yield self._delta({"type": "text_delta", "text": event.text})
        elif isinstance(event, CallStart):
            block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
            yield from self._begin(block)
        elif isinstance(event, CallDelta):
            yield self._delta({"type": "input_json_delta", "partial_json": event.json})

    def end(self) -> Iterator[dict[str, Any]]:
        """The end of the last block."""
        if self._open is not None:
            self._open = None
            yield {"type": "content_block_stop", "index": self._number}

    def _begin(self, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from self.end()
        self._number += 1
        self._open = block["type"]
        yield {"type": "content_block_start", "index": self._number, "content_block": block}

    def _delta(self, delta: dict[str, Any]) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": self._number, "delta": delta}


def usage_object(usage: TokenUsage) -> dict[str, int]:
    """The usage as a message has it."""
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens,
    }
