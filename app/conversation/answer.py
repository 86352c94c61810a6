"""What the CLI says on the way, line by line, as the answer that a client gets. Pure.

Shapes as seen in the CLI's version 2.1.330 with `--include-partial-messages`: each event of the
model's API comes as a line of type `stream_event` when it happens, and each finished block of
text once more in a line of type `assistant`. What subagents say has a `parent_tool_use_id`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from app.cli.lines import parse

#: A line longer than this holds nothing that we need: it is not kept to be looked at.
LONGEST_LINE = 1 << 20
#: Bytes of lines that wait for the model to begin.
MOST_WAITING = 1 << 20

# A block of a tool's call or of its result. Inside of a text the quotes would be escaped.
_TOOL = re.compile(rb'"type"\s*:\s*"[a-z_]*tool_(?:use|result)"')
_BETWEEN = "\n\n"
_MARKS = (b'"stream_event"', b'"assistant"', b'"init"')


class Begun(NamedTuple):
    """The model has begun to answer."""

    model: str | None
    session_id: str | None


class Text(NamedTuple):
    """A piece of the answer."""

    text: str


class Line(NamedTuple):
    """A line of the CLI's: one JSON object."""

    fields: dict[str, Any]


Said = Begun | Text | Line


class Answer:
    """Turns chunks of a job's output into what is said.

    `structured`: the answer is the structured output alone, which only the end brings.
    `with_lines`: what the agent does on the way is told, too.
    """

    def __init__(self, structured: bool, with_lines: bool) -> None:
        self.structured = structured
        self._with_lines = with_lines
        self._held = b""
        self._dropping = False
        self._begun = False
        self._model: str | None = None
        self._session: str | None = None
        self._message = ""
        # Of the block that is being streamed, until the CLI has said that it is whole.
        self._unfinished: list[str] = []
        self._waiting: list[Line] = []
        self._waiting_size = 0
        self._has_text = False
        self._between = False
        #: Whether the model used a tool, or may have: then something has been done.
        self.was_active = False
        #: Usage of each of the model's messages so far, for when the CLI does not tell it.
        self.usage: dict[str, dict[str, Any]] = {}

    def feed(self, chunk: bytes) -> Iterator[Said]:
        """What a chunk brings; half a line waits for its other half."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            if not self._dropping:
                yield from self._read(self._held + line)
            self._held, self._dropping = b"", False
        if self._dropping:
            return
        self._held += rest
        if len(self._held) > LONGEST_LINE:
            self._held, self._dropping = b"", True
            # The line is not read, so a tool may have run.
            self.was_active = True

    def finish(self, result: Mapping[str, Any]) -> Iterator[Said]:
        """What the end brings, after a success: `result` is the CLI's last result line."""
        yield from self._begin()
        if self.structured:
            # The CLI writes it as JSON in `result`, too.
            told = result.get("result")
            structured = json.dumps(result.get("structured_output"))
            yield from self._say(told if isinstance(told, str) else structured)
        elif not self._has_text and isinstance(result.get("result"), str):
            # A command of the CLI's own (/cost) answers without the model.
            yield from self._say(result["result"])

    def _read(self, line: bytes) -> Iterator[Said]:
        self.was_active = self.was_active or _TOOL.search(line) is not None
        fields = parse(line) if any(mark in line for mark in _MARKS) else {}
        kind = fields.get("type")
        if kind == "stream_event":
            if fields.get("parent_tool_use_id") is None and isinstance(fields.get("event"), dict):
                yield from self._event(fields["event"])
            return
        if kind == "system" and fields.get("subtype") == "init":
            self._model = fields.get("model")
            self._session = fields.get("session_id")
        elif kind == "assistant" and fields.get("parent_tool_use_id") is None:
            yield from self._message_line(fields)
        if self._with_lines and (fields := fields or parse(line)):
            # What comes before the model begins waits for it, so that a failure to begin can
            # still be told by a status.
            self._waiting.append(Line(fields))
            self._waiting_size += len(line)
            if self._waiting_size > MOST_WAITING:
                yield from self._begin()
            if self._begun:
                yield from self._lines()

    def _event(self, event: Mapping[str, Any]) -> Iterator[Said]:
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = _object(event.get("delta"))
            if delta.get("type") == "text_delta" and not self.structured:
                text = delta.get("text")
                text = text if isinstance(text, str) else ""
                self._unfinished.append(text)
                yield from self._say(text)
        elif kind == "message_start":
            message = _object(event.get("message"))
            self._message = str(message.get("id"))
            self.usage[self._message] = dict(_object(message.get("usage")))
            yield from self._begin()
        elif kind == "content_block_start":
            self._unfinished = []
            self._between = self._has_text
        elif kind == "message_delta":
            told = {name: n for name, n in _object(event.get("usage")).items() if n}
            self.usage.setdefault(self._message, {}).update(told)

    def _message_line(self, fields: Mapping[str, Any]) -> Iterator[Said]:
        """A whole block: it was streamed before, unless the CLI asked without streaming."""
        message = _object(fields.get("message"))
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        texts = [str(block.get("text")) for block in map(_object, blocks) if "text" in block]
        was_streamed = message.get("id") == self._message
        if not texts or was_streamed or fields.get("error") or self.structured:
            return
        text = _BETWEEN.join(texts)
        # After a stream that broke, the CLI asks again: what was sent cannot be taken back.
        sent, self._unfinished = "".join(self._unfinished), []
        if sent and text.startswith(sent):
            yield from self._say(text[len(sent) :])
        else:
            self._between = self._has_text
            yield from self._say(text)

    def _begin(self) -> Iterator[Said]:
        if not self._begun:
            self._begun = True
            yield Begun(self._model, self._session)
            yield from self._lines()

    def _lines(self) -> Iterator[Said]:
        yield from self._waiting
        self._waiting, self._waiting_size = [], 0

    def _say(self, text: str) -> Iterator[Said]:
        if not text:
            return
        yield from self._begin()
        between = _BETWEEN if self._between else ""
        self._has_text, self._between = True, False
        yield Text(between + text)


def _object(value: object) -> dict[str, Any]:
    """The value, if it is an object; nobody promises what is in a line."""
    return value if isinstance(value, dict) else {}
