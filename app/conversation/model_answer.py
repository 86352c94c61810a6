"""The parser that passes the events of the model's API on as they are, for one message. Pure.

Written for version 2.1.330 of the CLI with `--include-partial-messages`: each event is a line of
type `stream_event`. The CLI goes on by itself where a message was too long or was refused; what it
says then is not part of the answer.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.cli.lines import as_object, parse
from app.conversation.answer import CLI_GOES_ON, LONGEST_LINE, AnswerParser, json_object_in
from app.conversation.client_tools import ClientTools
from app.conversation.cut import Cut
from app.conversation.errors import AnswerFailed
from app.conversation.events import AnswerEvent, ModelEvent
from app.conversation.failure_kinds import limit_ends_at
from app.conversation.line_splitter import LineSplitter
from app.conversation.strict_calls import StrictCalls


class ModelAnswerParser:
    """Parses the chunks of a job's output into ModelEvents, without the last `message_stop`.

    With `structured`, the answer is a text with the structured output, unless the model calls one
    of the client's tools. Its text is cut by `cut`. With `any_object`, the structured output is any
    JSON object, which may also be the answer's text.
    """

    def __init__(
        self, structured: bool, tools: ClientTools, cut: Cut, *, any_object: bool = False
    ) -> None:
        self.structured = structured
        self._any_object = any_object
        #: Whether the model has called one of the client's tools.
        self.has_calls = False
        #: The model has the client's tools alone, so the job has no effect.
        self.used_tools = False
        self.has_client_tools = self.is_model_alone = True
        #: Why the answer is complete although the job goes on; None if it is not.
        self.ended: str | None = None
        #: The events have it.
        self.usage: dict[str, dict[str, Any]] = {}
        self._tools = tools
        self._names = tools.names()
        self._strict = StrictCalls(tools)
        #: When the account's limit ends that was reached, in Unix time; None if none was.
        self.limit_ends_at: float | None = None
        self._cut = cut
        self._lines = LineSplitter(LONGEST_LINE)
        self._start: dict[str, Any] | None = None
        # The events of the present message that are held back until it calls a tool.
        self._held: list[dict[str, Any]] = []
        self._is_held = self.must_call or structured
        self._has_begun = self._is_over = False
        self._left_out: set[object] = set()
        self._stop_reason: object = None

    def has_structured_output(self, result: Mapping[str, Any]) -> bool:
        """Whether the CLI's last result line has the structured output."""
        return "structured_output" in result or self._plain_object(result) is not None

    def _plain_object(self, result: Mapping[str, Any]) -> str | None:
        """The JSON object that the answer's text is, if that will do."""
        if not self._any_object or "structured_output" in result:
            return None
        return json_object_in(str(result.get("result")))

    @property
    def must_call(self) -> bool:
        """Whether an answer without a call of the client's tools is no answer."""
        return self._tools.choice.must_call

    def feed(self, chunk: bytes) -> Iterator[AnswerEvent]:
        """The events of a chunk.

        Raises AnswerFailed if a second message replaces a broken one, and for a call of a strict
        tool that does not follow its schema.
        """
        for line in self._lines.feed(chunk):
            self.limit_ends_at = limit_ends_at(line) or self.limit_ends_at
            fields = parse(line) if b'"stream_event"' in line else {}
            if fields.get("type") == "stream_event" and fields.get("parent_tool_use_id") is None:
                yield from self._event(as_object(fields.get("event")))

    def finish(self, result: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        """The whole message, from the CLI's last result line, if no event was passed on."""
        if self._has_begun:
            return
        text = self._plain_object(result) or result.get("result")
        if not isinstance(text, str):
            text = json.dumps(result.get("structured_output"))
        start = self._start or {"type": "message_start", "message": {}}
        for event in (
            start,
            {"type": "content_block_start", "index": 0, "content_block": _text_block("")},
            _text_delta(0, text),
            {"type": "content_block_stop", "index": 0},
        ):
            yield from self._pass_on(event)
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        usage = as_object(result.get("usage"))
        counts = {name: n for name, n in usage.items() if name.endswith("_tokens")}
        yield from self._pass_on({"type": "message_delta", "delta": delta, "usage": counts})

    def _event(self, event: dict[str, Any]) -> Iterator[AnswerEvent]:
        kind = event.get("type")
        if kind == "message_start":
            self._begin(event)
        if self._is_over or self._start is None:
            return
        if kind == "content_block_start":
            yield from self._begin_block(event)
        if kind == "content_block_delta":
            delta = as_object(event.get("delta"))
            self._strict.add(str(delta.get("partial_json", "")))
        elif kind == "content_block_stop":
            self._strict.end()
        elif kind == "message_delta":
            self._stop_reason = as_object(event.get("delta")).get("stop_reason")
            self._strict.finish(self._stop_reason)
        if kind == "message_stop":
            yield from self._end()
        elif event.get("index") in self._left_out:
            return
        elif self._is_held:
            self._held.append(event)
        else:
            yield from self._pass_on(event)

    def _begin(self, event: dict[str, Any]) -> None:
        if self._has_begun and not self._is_over:
            raise AnswerFailed("cli_failed", "The model's answer broke off, and another one began")
        if self._is_over:
            # The answer is complete, and the CLI has asked the model to go on.
            self.ended = str(self._stop_reason)
        else:
            self._start, self._held, self._left_out = event, [], set()

    def _begin_block(self, event: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        block = as_object(event.get("content_block"))
        if block.get("type") != "tool_use" or block.get("name") not in self._names:
            return
        if self.has_calls and not self._tools.parallel:
            # The client asks for one call at a time; it gets the others later, if ever.
            self._left_out.add(event.get("index"))
        else:
            self._strict.begin(block.get("name"))
        self.has_calls = True
        yield from self._release()

    def _end(self) -> Iterator[AnswerEvent]:
        is_short = self._stop_reason in CLI_GOES_ON
        if is_short and not self.structured:
            yield from self._release()
        if self._is_held:
            # The CLI asks the model once more.
            self._start, self._held = self._start if self.structured else None, []
            return
        self._is_over = True
        if is_short:
            self.ended = str(self._stop_reason)

    def _release(self) -> Iterator[AnswerEvent]:
        held, self._held, self._is_held = self._held, [], False
        for event in held:
            yield from self._pass_on(event)

    def _pass_on(self, event: dict[str, Any]) -> Iterator[AnswerEvent]:
        """The event, with its text cut."""
        if self._is_over:
            return
        self._has_begun = True
        delta = as_object(event.get("delta"))
        if event.get("type") == "content_block_stop" and (rest := self._cut.finish()):
            yield ModelEvent(_text_delta(event.get("index"), rest))
        if delta.get("type") != "text_delta":
            yield ModelEvent(event)
            return
        text = self._cut.feed(str(delta.get("text")))
        if text:
            yield ModelEvent(_text_delta(event.get("index"), text))
        self._is_over = self._cut.reason is not None


def parser_for(
    tools: ClientTools | None,
    cut: Cut,
    most_retries: int | None = None,
    *,
    is_structured: bool,
    any_object: bool = False,
) -> AnswerParser | ModelAnswerParser:
    """The parser of an answer with these tools, None in agent mode.

    With tools of the CLI it is that of an agent, which leaves the cut to the reader.
    `most_retries` is that of `ChatTurns`.
    """
    if tools is None or tools.own:
        return AnswerParser(is_structured, False, tools, most_retries, any_object=any_object)
    return ModelAnswerParser(is_structured, tools, cut, any_object=any_object)


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _text_delta(index: object, text: str) -> dict[str, Any]:
    delta = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": index, "delta": delta}
