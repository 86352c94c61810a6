"""The parser that turns the CLI's output into the events of an answer. Pure.

Written for version 2.1.330 of the CLI with `--include-partial-messages`: each event of the model's
API is a line of type `stream_event`, and each finished block of text is once more in a line of
type `assistant`. The lines of subagents have a `parent_tool_use_id`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.cli.lines import as_object, parse
from app.conversation.client_tools import ClientTools
from app.conversation.events import (
    AgentLine,
    AnswerEvent,
    AnswerStart,
    CallDelta,
    CallStart,
    TextDelta,
)
from app.conversation.failure_kinds import limit_ends_at, refusal_in
from app.conversation.line_splitter import LineSplitter
from app.conversation.strict_calls import StrictCalls

#: After a message that ends so, the CLI asks the model to go on (2.1.330).
CLI_GOES_ON = ("max_tokens", "model_context_window_exceeded", "refusal")
#: Longer lines, in bytes, have nothing that the parser needs: they are skipped.
LONGEST_LINE = 1 << 20
#: Bytes of lines that are held back until the model starts.
MOST_HELD_BACK = 1 << 20

# A block of a tool call or of a tool's result. Inside of a text the quotes would be escaped.
_TOOL = re.compile(rb'"type"\s*:\s*"[a-z_]*tool_(?:use|result)"')
_CODE = re.compile("```[a-z]*\n(.*)\n```", re.DOTALL)
_BLOCK_SEPARATOR = "\n\n"
_NEEDLES = (b'"stream_event"', b'"assistant"', b'"init"', b'"api_retry"')


def json_object_in(text: str) -> str | None:
    r"""The JSON object that a text is, also in a block of code.

    >>> json_object_in('```json\n{"n": 7}\n```'), json_object_in("seven")
    ('{"n": 7}', None)
    """
    block = _CODE.fullmatch(text.strip())
    found = block[1] if block else text.strip()
    try:
        return found if isinstance(json.loads(found), dict) else None
    except (ValueError, RecursionError):
        return None


class AnswerParser:
    """Parses the chunks of a job's output.

    `structured`: the answer is only the structured output, which is in the result.
    `with_lines`: the events include the CLI's lines. `tools`: the client's tools, in model mode.
    Before the answer begins, the CLI may ask the model's API `most_retries` times again; None
    leaves that to the CLI. With `any_object`, the structured output is any JSON object, which may
    also be the answer's text.
    """

    def __init__(
        self,
        structured: bool,
        with_lines: bool,
        tools: ClientTools | None = None,
        most_retries: int | None = None,
        *,
        any_object: bool = False,
    ) -> None:
        self.structured = structured
        self._any_object = any_object
        self._most_retries = most_retries
        #: Whether the model has no tools but the client's, so that the job has no effect.
        self.is_model_alone = tools is not None and not tools.own
        self._tools = tools
        self._names = tools.names() if tools else frozenset[str]()
        # Whether a call of the client's tools has begun, and its arguments are streamed now.
        self.has_calls = self._in_call = self._call_is_empty = False
        self._strict = StrictCalls(tools)
        #: When the account's limit ends that was reached, in Unix time; None if none was.
        self.limit_ends_at: float | None = None
        # The texts of the present message that are held back until it calls a tool.
        self._held_texts: list[str] = []
        #: Why the answer is complete although the job goes on; None if it is not. An answer of the
        #: client's tools is one message.
        self.ended: str | None = None
        self._with_lines = with_lines
        self._lines = LineSplitter(LONGEST_LINE)
        self._started = False
        self._model: str | None = None
        self._session: str | None = None
        self._message_id = ""
        # The streamed pieces of the present block, until the CLI repeats the whole block.
        self._streamed: list[str] = []
        self._held_back: list[AgentLine] = []
        self._held_back_size = 0
        self._has_text = False
        self._needs_separator = False
        #: Whether the model used a tool, or may have: then the job has had an effect.
        self.used_tools = False
        #: The usage of each of the model's messages, for a job without a result.
        self.usage: dict[str, dict[str, Any]] = {}

    @property
    def has_client_tools(self) -> bool:
        """Whether the client brings tools."""
        return self._tools is not None

    @property
    def must_call(self) -> bool:
        """Whether an answer without a call of the client's tools is no answer."""
        return self._tools is not None and self._tools.choice.must_call

    def feed(self, chunk: bytes) -> Iterator[AnswerEvent]:
        """The events of a chunk. An incomplete line is kept for the next one.

        Raises AnswerFailed for a call of a strict tool that does not follow its schema, and where
        the model's API refuses the first call too often.
        """
        for line in self._lines.feed(chunk):
            self.limit_ends_at = limit_ends_at(line) or self.limit_ends_at
            if self.ended is None:
                yield from self._parse_line(line)
        if self._lines.has_skipped:
            # The line is not parsed, so it may be a tool call.
            self.used_tools = not self.is_model_alone

    def has_structured_output(self, result: Mapping[str, Any]) -> bool:
        """Whether the CLI's last result line has the structured output."""
        return "structured_output" in result or self._plain_object(result) is not None

    def _plain_object(self, result: Mapping[str, Any]) -> str | None:
        """The JSON object that the answer's text is, if that will do."""
        if not self._any_object or "structured_output" in result:
            return None
        return json_object_in(str(result.get("result")))

    def finish(self, result: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        """The events of the CLI's last result line, after a success."""
        yield from self._start()
        plain = self._plain_object(result)
        if plain is not None:
            yield from self._text(plain)
        elif self.structured:
            # The CLI also writes it as JSON into `result`.
            text = result.get("result")
            structured = json.dumps(result.get("structured_output"))
            yield from self._text(text if isinstance(text, str) else structured)
        elif not self._has_text and isinstance(result.get("result"), str):
            # A command of the CLI (/cost) answers without the model.
            yield from self._text(result["result"])

    def _parse_line(self, line: bytes) -> Iterator[AnswerEvent]:
        if not self.is_model_alone:
            self.used_tools = self.used_tools or _TOOL.search(line) is not None
        fields = parse(line) if any(needle in line for needle in _NEEDLES) else {}
        kind = fields.get("type")
        if kind == "stream_event":
            if fields.get("parent_tool_use_id") is None and isinstance(fields.get("event"), dict):
                yield from self._stream_event(fields["event"])
            return
        if kind == "system" and fields.get("subtype") == "init":
            self._model = fields.get("model")
            self._session = fields.get("session_id")
        elif kind == "system" and fields.get("subtype") == "api_retry":
            self._note_retry(fields)
        elif kind == "assistant" and fields.get("parent_tool_use_id") is None:
            yield from self._whole_block(fields)
        if self._with_lines and (fields := fields or parse(line)):
            # Lines before the model's start are held back, so that a failure to start can still
            # be reported by a status.
            self._held_back.append(AgentLine(fields))
            self._held_back_size += len(line)
            if self._held_back_size > MOST_HELD_BACK:
                yield from self._start()
            if self._started:
                yield from self._release_lines()

    def _note_retry(self, fields: Mapping[str, Any]) -> None:
        if self._most_retries is None or self._started or self.used_tools:
            return
        refusal = refusal_in(fields, self._most_retries)
        if refusal is not None:
            raise refusal

    def _stream_event(self, event: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = as_object(event.get("delta"))
            if delta.get("type") == "text_delta" and not self.structured:
                text = delta.get("text")
                text = text if isinstance(text, str) else ""
                self._streamed.append(text)
                yield from self._text(text)
            elif delta.get("type") == "input_json_delta" and self._in_call:
                text = str(delta.get("partial_json", ""))
                self._call_is_empty = self._call_is_empty and not text
                self._strict.add(text)
                yield CallDelta(text)
        elif kind == "content_block_stop" and self._in_call:
            if self._call_is_empty:
                yield CallDelta("{}")
            self._strict.end()
            self._in_call = False
        elif kind == "message_start":
            message = as_object(event.get("message"))
            self._message_id = str(message.get("id"))
            self.usage[self._message_id] = dict(as_object(message.get("usage")))
            self._held_texts = []
            if not self.must_call:
                # Otherwise the answer begins with the call, and may still fail with a status.
                yield from self._start()
        elif kind == "content_block_start":
            self._streamed = []
            self._needs_separator = self._has_text
            yield from self._begin_call(as_object(event.get("content_block")))
        elif kind == "message_delta":
            counts = {name: n for name, n in as_object(event.get("usage")).items() if n}
            self.usage.setdefault(self._message_id, {}).update(counts)
            reason = as_object(event.get("delta")).get("stop_reason")
            self._strict.finish(reason)
            if self._tools is not None and not self.structured and reason in CLI_GOES_ON:
                self.ended = str(reason)
                yield from self._start()
                for text in self._held_texts:
                    yield TextDelta(text)

    def _whole_block(self, fields: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        """A finished block, which was streamed unless the CLI asked without streaming."""
        message = as_object(fields.get("message"))
        content = message.get("content")
        blocks = [as_object(block) for block in content] if isinstance(content, list) else []
        texts = [str(block.get("text")) for block in blocks if "text" in block]
        was_streamed = message.get("id") == self._message_id
        for block in () if was_streamed else blocks:
            yield from self._begin_call(block)
            if self._in_call:
                text = json.dumps(block.get("input"))
                self._strict.add(text)
                self._strict.end()
                yield CallDelta(text)
                self._in_call = False
        if not texts or was_streamed or fields.get("error") or self.structured:
            return
        text = _BLOCK_SEPARATOR.join(texts)
        # After a broken stream the CLI asks again: what was sent cannot be taken back.
        sent, self._streamed = "".join(self._streamed), []
        if sent and text.startswith(sent):
            yield from self._text(text[len(sent) :])
        else:
            self._needs_separator = self._has_text
            yield from self._text(text)

    def _begin_call(self, block: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        """The beginning of a block, which may be a call of one of the client's tools."""
        self._in_call = block.get("type") == "tool_use" and block.get("name") in self._names
        if self._tools is None or not self._in_call:
            return
        if self.has_calls and not self._tools.parallel:
            # The client asks for one call at a time; it gets the others later, if ever.
            self._in_call = False
            return
        self.has_calls = self._call_is_empty = True
        self._strict.begin(block.get("name"))
        held, self._held_texts = self._held_texts, []
        for text in held:
            yield from self._text(text)
        yield from self._start()
        yield CallStart(str(block.get("id")), str(block.get("name")))

    def _start(self) -> Iterator[AnswerEvent]:
        if not self._started:
            self._started = True
            yield AnswerStart(self._model, self._session)
            yield from self._release_lines()

    def _release_lines(self) -> Iterator[AnswerEvent]:
        yield from self._held_back
        self._held_back, self._held_back_size = [], 0

    def _text(self, text: str) -> Iterator[AnswerEvent]:
        if not text:
            return
        if self.must_call and not self.has_calls:
            self._held_texts.append(text)
            return
        yield from self._start()
        separator = _BLOCK_SEPARATOR if self._needs_separator else ""
        self._has_text, self._needs_separator = True, False
        yield TextDelta(separator + text)
