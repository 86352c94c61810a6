"""The command's output: the answer on standard output, notes about it on standard error."""

import json
import os
import sys
from enum import Enum
from typing import Any, BinaryIO, TextIO

from app.text import shortened
from app.tool.answer_text import AnswerText
from app.tool.api_retry import api_retry
from app.tool.events import Event
from app.tool.failure import CANCELLED, FAILED, TIMED_OUT
from app.tool.printable import printable
from app.tool.tool_calls import tool_calls

#: The exit status for each status of a job that has ended; FAILED for any other.
EXIT_STATUSES = {"succeeded": 0, "cancelled": CANCELLED, "timed_out": TIMED_OUT}

#: Columns of a note about a tool's call, where standard error is no terminal.
_COLUMNS = 100
# Characters of an answer that are compared with the job's error, which has at most 500.
_TAIL = 1000
_DIM, _NORMAL = "\x1b[2m", "\x1b[22m"


class Shown(Enum):
    """What of a job's output is shown."""

    #: The text of the answer, and a note for each call of a tool.
    TEXT = "text"
    #: The CLI's lines, unchanged.
    LINES = "lines"
    #: Only how the job ended.
    NOTHING = "nothing"


class Screen:
    """Shows a job's events. On a terminal, without characters that would control it."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._out: BinaryIO = sys.stdout.buffer
        self._is_terminal = sys.stdout.isatty()
        # Whether notes appear between the lines of the answer.
        self._is_shared = self._is_terminal and _is_terminal(sys.stderr)
        self._answer = AnswerText()
        self._in_line = False
        # Whether the last line of the answer was ended before its end, by `end_line`.
        self._is_broken = False
        # The end of the answer.
        self._tail = ""
        #: Why the job did not succeed, once it has ended: a value of `reason`, or None.
        self.reason: str | None = None

    def show(self, event: Event) -> int | None:
        """Show one event. Returns the exit status if it is the last."""
        if event.name == "done":
            if self._shown is Shown.TEXT:
                self._write_answer(self._answer.finish())
            return self._note_end(json.loads(event.data))
        if event.name == "message":
            self._show_line(event.data)
        elif event.data.startswith(b"queued"):
            self.note(event.data.decode(errors="replace"))
        return None

    def note(self, text: str) -> None:
        """Print a line on standard error; on a terminal, not into a line of the answer."""
        if self._is_shared:
            self.end_line()
        note(text)

    def end_line(self) -> None:
        """On a terminal, end the line of the answer, for something else to begin."""
        if self._in_line:
            self._write("\n")
            self._is_broken = True

    def _show_line(self, line: bytes) -> None:
        if self._shown is Shown.LINES:
            # An event is one line of the CLI's; only a CR in it can have become a newline.
            self._write(line.replace(b"\n", b"\r") + b"\n")
        elif self._shown is Shown.TEXT:
            self._write_answer(self._answer.read(line))
            for call in tool_calls(line):
                self._note_dimmed(call)
            if retry := api_retry(line):
                self._note_dimmed(f"{retry.problem()}; the CLI tries again ({retry.attempt})")

    def _note_dimmed(self, text: str) -> None:
        if self._is_shared:
            self.end_line()
        _note_dimmed(text)

    def _write_answer(self, text: str) -> None:
        self._tail = (self._tail + text)[-_TAIL:]
        if text and self._is_broken:
            text, self._is_broken = text.removeprefix("\n"), False
        self._write(text)

    def _write(self, content: bytes | str) -> None:
        if not content:
            return
        if self._is_terminal:
            text = content if isinstance(content, str) else content.decode(errors="replace")
            content = printable(text)
            self._in_line = not text.endswith("\n")
        if isinstance(content, str):
            content = content.encode(errors="replace")
        self._out.write(content)
        self._out.flush()

    def _note_end(self, done: dict[str, Any]) -> int:
        status = str(done.get("status"))
        summary = [status.replace("_", " ")]
        if done.get("reason") not in (None, "timeout"):
            summary[0] += f" ({done['reason']})"
        if done.get("duration_ms") is not None:
            summary.append(f"{done['duration_ms'] / 1000:.1f} s")
        if done.get("total_cost_usd") is not None:
            summary.append(f"${done['total_cost_usd']:.4f}")
        if done.get("session_id"):
            summary.append(f"session {done['session_id']}")
        stderr = str(done.get("stderr") or "").strip()
        error = str(done.get("error") or "")
        self.reason = done.get("reason")
        if " ".join(self._tail.split()).endswith(error):
            # The CLI has given it as its answer.
            error = ""
        # What a CLI prints because it was cancelled is of no use.
        if status != "cancelled":
            for text in (stderr, "" if error in stderr else error):
                if text:
                    self.note(text)
        self.note(f"{', '.join(summary)}, job {done.get('process_id')}")
        return EXIT_STATUSES.get(status, FAILED)


def note(text: str) -> None:
    """Print a line on standard error."""
    _write_error(f"{printable(text)}\n")


def print_json(value: object) -> None:
    """Print a value on standard output, as JSON that is safe for any terminal and encoding."""
    text = json.dumps(value, indent=2).replace("\x7f", "\\u007f")
    sys.stdout.write(f"{text}\n")


def _note_dimmed(text: str) -> None:
    """Print a line on standard error, dimmed if that is a terminal and may have colours."""
    columns, is_terminal = _COLUMNS, _is_terminal(sys.stderr)
    if is_terminal:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS
    text = printable(shortened(text, columns - 1))
    if is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        text = f"{_DIM}{text}{_NORMAL}"
    _write_error(f"{text}\n")


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _write_error(text: str) -> None:
    # Not through sys.stderr: a signal's handler may write while the main program does.
    if sys.stderr is not None:
        content = text.encode(errors="replace")
        while content:
            content = content[os.write(sys.stderr.fileno(), content) :]
