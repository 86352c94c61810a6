"""The scanner of a run's output, which finds the few lines that its supervisor acts upon.

It reads each new byte once and parses only the lines with one of its needles: the model's text can
contain a needle only with its quotes escaped, but a tool's input is JSON, too, so that a parsed
line still has to be checked. Standard library alone, because the supervisor imports this.
"""

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.cli.lines import parse
from app.records.output_file import data_end

#: Bytes of one read.
CHUNK = 1 << 18
#: Bytes of the longest line that is parsed; `result` lines contain an answer, which can be long.
LONGEST_LINE = 64 << 20

# The types and subtypes of lines that a supervisor acts upon.
_TYPES = b"result|control_request|control_response|control_cancel_request|command_lifecycle"
_MORE_TYPES = b"conversation_reset|message_stop"
_SUBTYPES = b"init|session_state_changed|background_tasks_changed|task_started|task_updated"
_MORE_SUBTYPES = b"task_notification"
_NEEDLE = re.compile(
    rb'"(?:type":"(?:%b|%b)|subtype":"(?:%b|%b)|stop_reason":"tool_use)"'
    % (_TYPES, _MORE_TYPES, _SUBTYPES, _MORE_SUBTYPES)
)
# A needle may lie across two reads.
_OVERLAP = 48


class Line(NamedTuple):
    """A line of the output: its object, where it begins and ends (behind the newline), in bytes."""

    fields: dict[str, Any]
    start: int
    end: int


class OutputScanner:
    """Reads an open output from a position on."""

    def __init__(self, output: int, position: int = 0) -> None:
        self._output = output
        #: The bytes before this position were read.
        self.position = position
        # Where the line that is not complete yet begins, and whether it has a needle.
        self._start = position
        self._is_hot = False
        self._tail = b""

    def new_lines(self) -> Iterator[Line]:
        """The lines with a needle among the bytes that were written since the last call.

        Only complete lines: one without its newline is found by a later call. A hole is the end:
        only a job makes one, never the CLI, and to read one of 300 GB takes minutes.
        """
        while chunk := os.pread(self._output, CHUNK, self.position):
            if len(chunk) == CHUNK and not any(chunk):
                chunk = chunk[: data_end(self._output, self.position) - self.position]
            yield from self._lines_in(chunk)
            if len(chunk) < CHUNK:
                return

    def _lines_in(self, chunk: bytes) -> Iterator[Line]:
        data = self._tail + chunk
        base = self.position - len(self._tail)
        self.position += len(chunk)
        # What is before the line that is not complete yet was looked at.
        at = max(0, self._start - base)
        while True:
            if not self._is_hot:
                match = _NEEDLE.search(data, at)
                if match is None:
                    break
                self._begin_line(base, data.rfind(b"\n", at, match.start()))
                self._is_hot = True
                at = match.end()
            newline = data.find(b"\n", at)
            if newline < 0:
                break
            start, at, self._is_hot = self._start, newline + 1, False
            self._begin_line(base, newline)
            if self._start - start <= LONGEST_LINE:
                fields = parse(os.pread(self._output, self._start - start, start))
                if fields:
                    yield Line(fields, start, self._start)
        if not self._is_hot:
            self._begin_line(base, data.rfind(b"\n", at))
        self._tail = b"" if self._is_hot else data[-_OVERLAP:]

    def _begin_line(self, base: int, newline: int) -> None:
        """The line that is not complete yet begins behind this newline, if one was found."""
        if newline >= 0:
            self._start = base + newline + 1
