"""The command's output: the answer on standard output, notes about it on standard error."""

import json
import re
import sys
from typing import Any, BinaryIO

from app.tool.answer_text import AnswerText
from app.tool.events import Event
from app.tool.failure import CANCELLED, FAILED, TIMED_OUT

#: The exit status for each status of a job that has ended; FAILED for any other.
EXIT_STATUSES = {"succeeded": 0, "cancelled": CANCELLED, "timed_out": TIMED_OUT}

# Control characters except tab and newline: they move the cursor, change colours or ring the bell.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Screen:
    """Shows a job's events: the text of the answer, or with `raw` the CLI's lines unchanged."""

    def __init__(self, raw: bool) -> None:
        self._raw = raw
        self._out: BinaryIO = sys.stdout.buffer
        self._is_terminal = sys.stdout.isatty()
        self._answer = AnswerText()

    def show(self, event: Event) -> int | None:
        """Show one event. Returns the exit status if it is the last."""
        if event.name == "done":
            return _note_end(json.loads(event.data))
        if event.name == "message":
            self._write(self._raw_line(event) if self._raw else self._text(event))
        elif event.data.startswith(b"queued"):
            note(event.data.decode(errors="replace"))
        return None

    def _raw_line(self, event: Event) -> bytes:
        # An event is one line of the CLI's; only a CR in it can have become a newline.
        return event.data.replace(b"\n", b"\r") + b"\n"

    def _text(self, event: Event) -> bytes:
        text = self._answer.read(event.data)
        return (printable(text) if self._is_terminal else text).encode(errors="replace")

    def _write(self, content: bytes) -> None:
        if content:
            self._out.write(content)
            self._out.flush()


def note(text: str) -> None:
    """Print a line on standard error."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    r"""Text without characters that control a terminal.

    >>> printable("a\x1b[31mb\tc\n")
    'a\ufffd[31mb\tc\n'
    """
    return _CONTROLS.sub("\ufffd", text)


def _note_end(done: dict[str, Any]) -> int:
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
    # What a CLI prints because it was cancelled is of no use.
    if status != "cancelled":
        for text in (stderr, "" if error in stderr else error):
            if text:
                note(text)
    note(f"{', '.join(summary)}, job {done.get('process_id')}")
    return EXIT_STATUSES.get(status, FAILED)
