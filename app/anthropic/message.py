"""The message that the events of the model's API add up to. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from app.cli.lines import as_object
from app.conversation.messages import ToolCall

# Characters of an output token, for a message that was cut.
_CHARACTERS_PER_TOKEN = 4


class MessageBuilder:
    """Adds events up. `message_id` and `model` are for a message without a beginning."""

    def __init__(self, message_id: str, model: str) -> None:
        #: The message, as a response that is not streamed has it.
        self.message: dict[str, Any] = {
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        # By the index in the events: not all blocks need to come.
        self._blocks: dict[object, dict[str, Any]] = {}
        self._texts: dict[object, list[str]] = {}
        self._open: object = None
        self._has_begun = self._has_ended = False

    def add(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Add an event; returns it with what every message has."""
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start":
            self._has_begun = True
            self.message.update(as_object(event.get("message")), content=[])
            return {**event, "message": {**self.message, "content": []}}
        if kind == "content_block_start":
            self._open = index
            self._blocks[index] = dict(as_object(event.get("content_block")))
            self._texts[index] = []
            self.message["content"].append(self._blocks[index])
        elif kind == "content_block_delta" and index in self._blocks:
            self._add_delta(index, as_object(event.get("delta")))
        elif kind == "content_block_stop" and index in self._blocks:
            self._end_block(index)
        elif kind == "message_delta":
            self._has_ended = True
            self._end_message(event)
        return dict(event)

    def begin(self) -> dict[str, Any]:
        """Begin a message without a beginning of the model's; returns the event."""
        return self.add({"type": "message_start", "message": self.message})

    def end(
        self,
        stop_reason: str,
        stop_sequence: str | None,
        usage: Mapping[str, int] | None = None,
    ) -> list[dict[str, Any]]:
        """End the message; returns the events that are missing.

        Without `usage`, the tokens of a message that was cut are estimated.
        """
        missing: list[dict[str, Any]] = []
        if not self._has_begun:
            missing.append({"type": "message_start", "message": self.message})
        if self._open is not None:
            missing.append({"type": "content_block_stop", "index": self._open})
        if not self._has_ended:
            delta = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
            usage = usage or {"output_tokens": -(-self._size() // _CHARACTERS_PER_TOKEN)}
            missing.append({"type": "message_delta", "delta": delta, "usage": usage})
        return [*map(self.add, missing), {"type": "message_stop"}]

    def text(self) -> str:
        """All text of the answer."""
        return "".join(block["text"] for block in self._blocks_of("text"))

    def calls(self) -> list[ToolCall]:
        """The calls of the client's tools."""
        return [
            ToolCall(block["name"], json.dumps(block["input"]), {}, block["id"])
            for block in self._blocks_of("tool_use")
        ]

    def _blocks_of(self, kind: str) -> list[dict[str, Any]]:
        return [block for block in self.message["content"] if block.get("type") == kind]

    def _size(self) -> int:
        """Characters of the answer."""
        return sum(len(json.dumps(block)) for block in self.message["content"])

    def _add_delta(self, index: object, delta: Mapping[str, Any]) -> None:
        block = self._blocks[index]
        kind = delta.get("type")
        if kind == "text_delta":
            self._texts[index].append(str(delta.get("text")))
        elif kind == "thinking_delta":
            self._texts[index].append(str(delta.get("thinking")))
        elif kind == "input_json_delta":
            self._texts[index].append(str(delta.get("partial_json")))
        elif kind == "signature_delta":
            block["signature"] = delta.get("signature")
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta.get("citation")]

    def _end_block(self, index: object) -> None:
        block, text = self._blocks[index], "".join(self._texts.pop(index, ()))
        kind = block.get("type")
        if kind in ("text", "thinking"):
            block[kind] = f"{block.get(kind) or ''}{text}"
        elif text:
            try:
                block["input"] = json.loads(text)
            except ValueError:
                # The model has reached its limit in the middle of the call.
                block["input"] = {}
        self._open = None

    def _end_message(self, event: Mapping[str, Any]) -> None:
        counts = as_object(event.get("usage"))
        usage = {name: count for name, count in counts.items() if count is not None}
        self.message["usage"] = {**self.message["usage"], **usage}
        self.message.update(as_object(event.get("delta")))
        if "context_management" in event:
            self.message["context_management"] = event["context_management"]
