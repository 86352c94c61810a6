"""The terminal of the user, on which the command asks, wherever its output goes."""

import os
import select
import termios
from collections.abc import Callable

from app.tool.failure import MISUSED, Failure

#: Seconds between two looks whether a question still needs an answer.
LOOK_AGAIN = 0.5
_CHUNK = 4096


class Withdrawn(Exception):
    """The question needs no answer any more."""


class Terminal:
    """The controlling terminal. Raises Failure if there is none."""

    def __init__(self) -> None:
        try:
            self._fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            raise Failure(
                "cannot ask without a terminal: with --detach, others can answer (claudecode2api"
                " questions)",
                MISUSED,
            ) from None

    def write(self, text: str) -> None:
        """Show text, which must be safe for a terminal."""
        content = text.encode(errors="replace")
        while content:
            content = content[os.write(self._fd, content) :]

    def discard_input(self) -> None:
        """Discard what was entered and has not been read."""
        termios.tcflush(self._fd, termios.TCIFLUSH)

    def read_line(self, prompt: str, is_open: Callable[[], bool]) -> str | None:
        """The line that the user enters, or None at its end (Ctrl-D).

        Raises Withdrawn when `is_open` no longer is.
        """
        self.write(prompt)
        entered = b""
        while b"\n" not in entered:
            if not self._has_input(LOOK_AGAIN):
                # What was entered meanwhile is sent: the gateway says why it came too late.
                if not is_open() and not self._has_input(0.0):
                    self.write("\n")
                    raise Withdrawn
                continue
            chunk = self._read()
            if not chunk:
                self.write("\n")
                return None
            entered += chunk
        return entered.decode(errors="replace").partition("\n")[0].strip()

    def _has_input(self, patience: float) -> bool:
        return bool(select.select([self._fd], [], [], patience)[0])

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, _CHUNK)
        except OSError as error:
            raise Failure(f"cannot ask at this terminal: {error.strerror}") from None
