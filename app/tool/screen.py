"""The command's two outputs: the answer on standard output, all about it on standard error."""

import json
import sys
from typing import Any, BinaryIO

from app.tool.events import Event
from app.tool.failure import CANCELLED, FAILED, TIMED_OUT
from app.tool.transcript import Transcript, printable

#: The exit status for each way in which a job ends.
STATUSES = {"succeeded": 0, "cancelled": CANCELLED, "timed_out": TIMED_OUT}


class Screen:
    """Shows a job's events: the answer's text, or with `raw` the CLI's lines as they are."""

    def __init__(self, raw: bool) -> None:
        self._raw = raw
        self._out: BinaryIO = sys.stdout.buffer
        self._terminal = sys.stdout.isatty()
        self._transcript = Transcript()

    def show(self, event: Event) -> int | None:
        """Show one event; the exit status, if it is the last."""
        if event.name == "done":
            return _tell_end(json.loads(event.data))
        if event.name == "message":
            self._write(self._raw_line(event) if self._raw else self._text(event))
        elif event.data.startswith(b"queued"):
            note(event.data.decode(errors="replace"))
        return None

    def _raw_line(self, event: Event) -> bytes:
        # An event is one line of the CLI's, and only a CR in it can have become a newline.
        return event.data.replace(b"\n", b"\r") + b"\n"

    def _text(self, event: Event) -> bytes:
        text = self._transcript.read(event.data)
        return (printable(text) if self._terminal else text).encode(errors="replace")

    def _write(self, said: bytes) -> None:
        if said:
            self._out.write(said)
            self._out.flush()


def note(text: str) -> None:
    """A line about the answer, which is no part of it."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def _tell_end(done: dict[str, Any]) -> int:
    status = str(done.get("status"))
    told = [status.replace("_", " ")]
    if done.get("reason") not in (None, "timeout"):
        told[0] += f" ({done['reason']})"
    if done.get("duration_ms") is not None:
        told.append(f"{done['duration_ms'] / 1000:.1f} s")
    if done.get("total_cost_usd") is not None:
        told.append(f"${done['total_cost_usd']:.4f}")
    if done.get("session_id"):
        told.append(f"session {done['session_id']}")
    stderr = str(done.get("stderr") or "").strip()
    error = str(done.get("error") or "")
    # The complaints of a CLI that was asked to end are of no use.
    if status != "cancelled":
        for words in (stderr, "" if error in stderr else error):
            if words:
                note(words)
    note(f"{', '.join(told)}, job {done.get('process_id')}")
    return STATUSES.get(status, FAILED)
