"""The response that the events of an answer add up to, and the events of its stream. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.cli.lines import as_object
from app.conversation.events import (
    AnswerEnd,
    CallDelta,
    CallStart,
    ModelEvent,
    TextDelta,
    UsageReport,
)
from app.conversation.events import Event as AnswerEvent
from app.conversation.usage import TokenUsage, usage_of
from app.responses.output_items import Event, OutputItems
from app.responses.response_object import usage_object
from app.responses.tools import RequestTools

# OpenAI's reasons of an answer that is not complete, for the stop reasons of the model's API.
_INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}


class ResponseBuilder:
    """Adds events up to a response, which begins as `response`.

    `is_verbatim`: the events are those of the model's API, with its usage. Otherwise the usage
    comes in a UsageReport after the end.
    """

    def __init__(
        self, response: dict[str, Any], key: str, tools: RequestTools, *, is_verbatim: bool
    ) -> None:
        #: The response as far as it is known.
        self.response = response
        #: Whether the response is complete, and its last event made.
        self.is_complete = False
        self._items = OutputItems(key, tools)
        self._is_verbatim = is_verbatim
        self._has_begun = False
        self._usage: dict[str, Any] = {}
        self._stop_reason = ""
        self._number = 0

    @property
    def items(self) -> OutputItems:
        """The items of the output."""
        return self._items

    def begin(self) -> Iterator[Event]:
        """The first events, unless they have come."""
        if self._has_begun:
            return
        self._has_begun = True
        for kind in ("response.created", "response.in_progress"):
            yield self._numbered({"type": kind, "response": dict(self.response)})

    def add(self, event: AnswerEvent, now: int) -> Iterator[Event]:
        """The events of the stream for an event of the answer; `now` is in Unix time."""
        yield from self.begin()
        yield from map(self._numbered, self._item_events(event))
        if isinstance(event, AnswerEnd):
            self._stop_reason = event.stop_reason
            is_short = event.stop_reason in _INCOMPLETE
            closing = self._items.close("incomplete" if is_short else "completed")
            yield from map(self._numbered, closing)
            if self._is_verbatim:
                yield self._end(usage_of({"usage": self._usage}, []), now)
        elif isinstance(event, UsageReport) and not self._is_verbatim:
            yield self._end(event.usage, now)

    def fail(self, code: str, message: str) -> Iterator[Event]:
        """The last event of a response that has failed, or was cancelled."""
        yield from self.begin()
        # What the last item has so far; its end is no event.
        for _ in self._items.close("incomplete"):
            pass
        is_cancelled = code == "cancelled"
        error = None if is_cancelled else {"code": code, "message": message}
        status = "cancelled" if is_cancelled else "failed"
        self.response.update(status=status, error=error, output=self._items.items)
        yield self._numbered({"type": "response.failed", "response": self.response})

    def _end(self, usage: TokenUsage, now: int) -> Event:
        self.is_complete = True
        reason = _INCOMPLETE.get(self._stop_reason)
        status = "completed" if reason is None else "incomplete"
        self.response.update(
            status=status,
            # The answer may be older than the response (`app.conversation.answer_cache`).
            completed_at=max(now, self.response["created_at"]) if reason is None else None,
            incomplete_details=None if reason is None else {"reason": reason},
            output=self._items.items,
            usage=usage_object(usage),
        )
        return self._numbered({"type": f"response.{status}", "response": self.response})

    def _item_events(self, event: AnswerEvent) -> Iterable[Event]:
        if isinstance(event, ModelEvent):
            return self._model_event(event.fields)
        if isinstance(event, TextDelta):
            return self._items.text(event.text)
        if isinstance(event, CallStart):
            return self._items.call(event.id, event.name)
        if isinstance(event, CallDelta):
            return self._items.arguments(event.json)
        return ()

    def _model_event(self, event: Mapping[str, Any]) -> Iterable[Event]:
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(as_object(event.get("delta")))
        if kind == "content_block_start":
            block = as_object(event.get("content_block"))
            if block.get("type") == "tool_use":
                return self._items.call(str(block.get("id")), str(block.get("name")))
        elif kind == "content_block_stop":
            return self._items.close()
        elif kind in ("message_start", "message_delta"):
            counts = event if kind == "message_delta" else as_object(event.get("message"))
            found = as_object(counts.get("usage"))
            self._usage.update({name: each for name, each in found.items() if each is not None})
        return ()

    def _delta(self, delta: Mapping[str, Any]) -> Iterable[Event]:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._items.text(str(delta.get("text")))
        if kind == "thinking_delta" and delta.get("thinking"):
            return self._items.thought(str(delta["thinking"]))
        if kind == "input_json_delta":
            return self._items.arguments(str(delta.get("partial_json", "")))
        return ()

    def _numbered(self, event: Event) -> Event:
        number, self._number = self._number, self._number + 1
        return {"type": event["type"], "sequence_number": number, **event}
