"""The items of a response's output, with the events that report them. Pure.

Clients need the events of an item in this order (openai 2.54, codex-cli 0.169): it is added, its
part is added, the part's deltas, the part is done, the item is done.
"""

from collections.abc import Iterator
from typing import Any

from app.conversation.messages import ToolCall
from app.responses.tools import CUSTOM_ARGUMENT, RequestTools, custom_input

Event = dict[str, Any]

_MESSAGE = "message"
_REASONING = "reasoning"
_FUNCTION = "function_call"
_CUSTOM = "custom_tool_call"
_PREFIXES = {_MESSAGE: "msg", _REASONING: "rs", _FUNCTION: "fc", _CUSTOM: "ctc"}


class OutputItems:
    """Makes the items, one after the other. `key` is a part of their ids."""

    def __init__(self, key: str, tools: RequestTools) -> None:
        #: The items; the last one may not be complete.
        self.items: list[dict[str, Any]] = []
        #: The calls of the client's tools, by the names by which the model calls them.
        self.calls: list[ToolCall] = []
        self._key = key
        self._tools = tools
        self._open: dict[str, Any] | None = None
        self._pieces: list[str] = []
        self._offered_name = ""

    def text(self, text: str) -> Iterator[Event]:
        """A piece of a message's text."""
        if self._open is None or self._open["type"] != _MESSAGE:
            yield from self.close()
            yield from self._begin(_MESSAGE, {"role": "assistant", "content": []})
            yield self._content_event("response.content_part.added", part=_text_part(""))
        self._pieces.append(text)
        yield self._content_event("response.output_text.delta", delta=text, logprobs=[])

    def thought(self, text: str) -> Iterator[Event]:
        """A piece of what the model thinks."""
        if self._open is None or self._open["type"] != _REASONING:
            yield from self.close()
            yield from self._begin(_REASONING, {"summary": []})
            yield self._summary_event("response.reasoning_summary_part.added", part=_summary(""))
        self._pieces.append(text)
        yield self._summary_event("response.reasoning_summary_text.delta", delta=text)

    def call(self, call_id: str, name: str) -> Iterator[Event]:
        """The model begins to call a tool, by the name by which it was offered."""
        yield from self.close()
        tool = self._tools.client_tool(name)
        self._offered_name = name
        kind, field = (_CUSTOM, "input") if tool.is_custom else (_FUNCTION, "arguments")
        fields: dict[str, Any] = {"call_id": call_id, "name": tool.name, field: ""}
        if tool.namespace is not None:
            fields["namespace"] = tool.namespace
        yield from self._begin(kind, fields)

    def arguments(self, text: str) -> Iterator[Event]:
        """A piece of the arguments of a call, which are JSON."""
        self._pieces.append(text)
        if text and self._open is not None and self._open["type"] == _FUNCTION:
            yield self._event("response.function_call_arguments.delta", delta=text)

    def close(self, status: str = "completed") -> Iterator[Event]:
        """The end of the last item, if it has none yet."""
        item, self._open = self._open, None
        if item is None:
            return
        text, self._pieces = "".join(self._pieces), []
        item["status"] = status
        # The number of the last item, which is this one.
        if item["type"] == _MESSAGE:
            part = _text_part(text)
            item["content"] = [part]
            yield self._content_event("response.output_text.done", text=text, logprobs=[])
            yield self._content_event("response.content_part.done", part=part)
        elif item["type"] == _REASONING:
            part = _summary(text)
            item["summary"] = [part]
            yield self._summary_event("response.reasoning_summary_text.done", text=text)
            yield self._summary_event("response.reasoning_summary_part.done", part=part)
        else:
            yield from self._end_call(item, text)
        yield {
            "type": "response.output_item.done",
            "output_index": len(self.items) - 1,
            "item": dict(item),
        }

    def _end_call(self, item: dict[str, Any], text: str) -> Iterator[Event]:
        self.calls.append(ToolCall(self._offered_name, text or "{}", {}, item["call_id"]))
        if item["type"] == _CUSTOM:
            item[CUSTOM_ARGUMENT] = given = custom_input(text)
            yield self._event("response.custom_tool_call_input.delta", delta=given)
            yield self._event("response.custom_tool_call_input.done", input=given)
            return
        if not text:
            text = "{}"
            yield self._event("response.function_call_arguments.delta", delta=text)
        item["arguments"] = text
        yield self._event(
            "response.function_call_arguments.done", name=item["name"], arguments=text
        )

    def _begin(self, kind: str, fields: dict[str, Any]) -> Iterator[Event]:
        number = len(self.items)
        item_id = f"{_PREFIXES[kind]}_{self._key}_{number}"
        self._open = {"id": item_id, "type": kind, "status": "in_progress", **fields}
        self.items.append(self._open)
        yield {
            "type": "response.output_item.added",
            "output_index": number,
            "item": dict(self._open),
        }

    def _event(self, kind: str, **fields: Any) -> Event:
        number = len(self.items) - 1
        return {
            "type": kind,
            "item_id": self.items[number]["id"],
            "output_index": number,
            **fields,
        }

    def _content_event(self, kind: str, **fields: Any) -> Event:
        return self._event(kind, content_index=0, **fields)

    def _summary_event(self, kind: str, **fields: Any) -> Event:
        return self._event(kind, summary_index=0, **fields)


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}
