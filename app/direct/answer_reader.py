"""The reader of a streamed answer of the model's API: its complete events, and their sums. Pure.

Events are those of Anthropic's Messages API, version 2023-06-01.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from app.cli.lines import as_object

#: Bytes of an answer's text that are kept for the job's record.
LONGEST_TEXT = 8 << 20
#: Bytes of the longest event.
LONGEST_EVENT = 32 << 20
_DATA = re.compile(rb"^data:(.*)$", re.MULTILINE)


class BadStream(Exception):
    """The stream is not one of events."""


class Answer:
    """What a job's record needs of an answer."""

    def __init__(self) -> None:
        self.usage: dict[str, Any] = {}
        self.stop_reason: str | None = None
        #: The error that has ended the answer: its type and its message.
        self.error: tuple[str, str] | None = None
        #: Whether the answer has its end.
        self.is_complete = False
        self._text = bytearray()

    @property
    def text(self) -> str:
        """The texts of the answer, as far as they are kept."""
        return self._text.decode(errors="ignore")

    def add_text(self, text: str) -> None:
        """Add a piece of text."""
        if len(self._text) < LONGEST_TEXT:
            self._text += text.encode(errors="replace")

    def begin_text(self) -> None:
        """Begin another block of text."""
        if self._text:
            self.add_text("\n\n")

    def add_usage(self, usage: object) -> None:
        """Add or replace numbers of tokens."""
        self.usage.update({name: n for name, n in as_object(usage).items() if n is not None})

    def fail(self, error: object) -> None:
        """Note an error."""
        fields = as_object(error)
        self.error = str(fields.get("type")), str(fields.get("message"))


def read_message(message: Mapping[str, Any]) -> Answer:
    """The answer in a message that is not streamed."""
    answer = Answer()
    answer.add_usage(message.get("usage"))
    answer.stop_reason = _text_or_none(message.get("stop_reason"))
    content = message.get("content")
    for block in content if isinstance(content, list) else []:
        if as_object(block).get("type") == "text":
            answer.begin_text()
            answer.add_text(str(block.get("text")))
    answer.is_complete = True
    return answer


class AnswerReader:
    r"""Reads the bytes of a stream, in pieces of any size.

    >>> reader = AnswerReader()
    >>> reader.feed(b'event: message_stop\ndata: {"type":"message_stop"}\n\nevent: pi')
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    >>> reader.answer.is_complete
    True
    """

    def __init__(self) -> None:
        self.answer = Answer()
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> bytes:
        """The bytes of all events that are complete now. Raises BadStream."""
        if b"\r" in chunk:
            # A line may end so, too; in JSON, a CR is escaped.
            chunk = chunk.replace(b"\r", b"")
        if b"\n" not in chunk:
            # Joined once at its end, however long the event is.
            self._hold(chunk)
            return b""
        data = b"".join([*self._pieces, chunk])
        end = data.rfind(b"\n\n") + 2
        self._pieces, self._size = [], 0
        self._hold(data[end:] if end > 1 else data)
        whole = data[:end] if end > 1 else b""
        for fields in _objects_in(whole):
            self._read(fields)
        return whole

    def _hold(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > LONGEST_EVENT:
            raise BadStream(f"an event has more than {LONGEST_EVENT} bytes")

    def _read(self, fields: Mapping[str, Any]) -> None:
        kind = fields.get("type")
        if kind == "content_block_delta":
            text = as_object(fields.get("delta")).get("text")
            if isinstance(text, str):
                self.answer.add_text(text)
        elif kind == "content_block_start":
            block = as_object(fields.get("content_block"))
            if block.get("type") == "text":
                self.answer.begin_text()
                self.answer.add_text(str(block.get("text") or ""))
        elif kind == "message_start":
            self.answer.add_usage(as_object(fields.get("message")).get("usage"))
        elif kind == "message_delta":
            self.answer.add_usage(fields.get("usage"))
            self.answer.stop_reason = _text_or_none(
                as_object(fields.get("delta")).get("stop_reason")
            )
        elif kind == "message_stop":
            self.answer.is_complete = True
        elif kind == "error":
            self.answer.fail(fields.get("error"))


def _objects_in(events: bytes) -> list[dict[str, Any]]:
    """The data of whole events, parsed in one piece: one call for each event takes much longer."""
    try:
        found = json.loads(b"[%b]" % b",".join(_DATA.findall(events)))
    except (ValueError, RecursionError):
        # Some data has several lines, or is no JSON.
        found = map(data_of, events.split(b"\n\n"))
    return [as_object(each) for each in found]


def data_of(event: bytes) -> dict[str, Any]:
    r"""The JSON object that is the data of an event; {} if there is none.

    >>> data_of(b'event: ping\ndata: {"type": "ping"}')
    {'type': 'ping'}
    """
    lines = [line[5:] for line in event.split(b"\n") if line.startswith(b"data:")]
    try:
        return as_object(json.loads(b"\n".join(lines))) if lines else {}
    except (ValueError, RecursionError):
        return {}


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
