"""The reader of a streamed answer of the model's API: its complete events, and their sums. Pure.

Events are those of Anthropic's Messages API, version 2023-06-01.
"""

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from app.cli.lines import as_object

#: Bytes of an answer's text that are kept for the job's record.
LONGEST_TEXT = 8 << 20
#: Bytes of the longest event.
LONGEST_EVENT = 32 << 20
#: Characters of the longest answer: some clients get theirs in one piece.
LONGEST_ANSWER = 64 << 20
# What stands for the operator's key, if the model's API repeats it.
_MASK = b"***"
_SHORTEST_SECRET = 6
# Characters of the longest reason, and of what is kept of one of the counts.
_LONGEST_REASON = 100
_LONGEST_COUNT = 1000
_MOST_COUNTS = 50
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
        """Add or replace numbers of tokens; what no record can have is left out."""
        for name, value in islice(as_object(usage).items(), _MOST_COUNTS):
            if value is not None and _is_short_json(name, value):
                self.usage[name] = value

    def fail(self, error: object) -> None:
        """Note an error."""
        fields = as_object(error)
        self.error = str(fields.get("type")), str(fields.get("message"))


def read_message(message: Mapping[str, Any]) -> Answer:
    """The answer in a message that is not streamed."""
    answer = Answer()
    answer.add_usage(message.get("usage"))
    answer.stop_reason = _reason(message.get("stop_reason"))
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

    def __init__(self, secret: bytes = b"") -> None:
        """`secret` is masked wherever it occurs."""
        self.answer = Answer()
        self._secret = secret
        # The beginning of an event.
        self._held = bytearray()
        self._length = 0

    def feed(self, chunk: bytes) -> bytes:
        """The bytes of all events that are complete now. Raises BadStream."""
        if b"\r" in chunk:
            # A line may end so, too; in JSON, a CR is escaped.
            chunk = chunk.replace(b"\r", b"")
        ends_event = b"\n\n" in chunk or (chunk[:1] == b"\n" == self._held[-1:])
        self._held += chunk
        # Searched once at its end, however long the event is.
        end = self._held.rfind(b"\n\n") + 2 if ends_event else 0
        whole = masked(bytes(self._held[:end]), self._secret)
        del self._held[:end]
        if len(self._held) > LONGEST_EVENT:
            raise BadStream(f"an event has more than {LONGEST_EVENT} bytes")
        for fields in _objects_in(whole):
            self._read(fields)
        if self._length > LONGEST_ANSWER:
            raise BadStream(f"the answer has more than {LONGEST_ANSWER} characters")
        return whole

    def _read(self, fields: Mapping[str, Any]) -> None:
        if self.answer.is_complete or self.answer.error is not None:
            return
        kind = fields.get("type")
        if kind == "content_block_delta":
            delta = as_object(fields.get("delta"))
            self._length += sum(
                len(text)
                for name, text in delta.items()
                if name != "type" and isinstance(text, str)
            )
            text = delta.get("text")
            if isinstance(text, str):
                self.answer.add_text(text)
        elif kind == "content_block_start":
            block = as_object(fields.get("content_block"))
            if block.get("type") == "text":
                text = str(block.get("text") or "")
                self._length += len(text)
                self.answer.begin_text()
                self.answer.add_text(text)
        elif kind == "message_start":
            self.answer.add_usage(as_object(fields.get("message")).get("usage"))
        elif kind == "message_delta":
            self.answer.add_usage(fields.get("usage"))
            self.answer.stop_reason = _reason(as_object(fields.get("delta")).get("stop_reason"))
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


def masked(text: bytes, secret: bytes) -> bytes:
    """The text without this secret; a shorter one would match inside of words."""
    return text.replace(secret, _MASK) if len(secret) >= _SHORTEST_SECRET else text


def _reason(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= _LONGEST_REASON else None


def _is_short_json(name: str, value: object) -> bool:
    try:
        return len(json.dumps([name, value], allow_nan=False)) <= _LONGEST_COUNT
    except (ValueError, RecursionError):
        return False
