"""A terminal for tests: a program writes to it, and reads what the test types."""

import codecs
import contextlib
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.gateway import PATIENCE


def read_all(master: int) -> bytes:
    """What programs have written to a terminal that none of them has open any more.

    It comes in pieces, whatever the programs have written at once.
    """
    read = b""
    with contextlib.suppress(OSError):
        while True:
            read += os.read(master, 65536)
    return read


class Terminal:
    """A terminal, with the text that a program has written to it."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        self.text = ""
        # A letter may come in two pieces.
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read_until(self, *texts: str) -> str:
        """What was written since the last call, up to the first of these texts."""
        # The real CLI may start meanwhile.
        deadline = time.monotonic() + 2 * PATIENCE
        while not (found := [text for text in texts if text in self.text]):
            patience = max(0.0, deadline - time.monotonic())
            ready = select.select([self._master], [], [], patience)[0]
            assert ready, f"{texts} not in {self.text!r}"
            piece = self._decoder.decode(os.read(self._master, 65536))
            self.text = (self.text + piece).replace("\r\n", "\n")
        end = min(self.text.index(text) + len(text) for text in found)
        read, self.text = self.text[:end], self.text[end:]
        return read

    def type(self, text: str) -> None:
        """Enter text, as a user would."""
        os.write(self._master, text.encode())

    def close(self) -> None:
        """Close both ends."""
        os.close(self._master)
        os.close(self.slave)

    @contextmanager
    def running(self, command: list[Any], **named: Any) -> "Iterator[subprocess.Popen[bytes]]":
        """A program whose controlling terminal this is; its output may go elsewhere."""
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), self.slave)
        options = {**streams, **named}
        with subprocess.Popen(["setsid", "--ctty", "--wait", *command], **options) as process:
            try:
                yield process
            finally:
                process.kill()
