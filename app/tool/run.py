"""`claudecode2api run`: start a job, show its answer, and exit as it ended."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from app.tool.checkout import Checkout
from app.tool.client import Client
from app.tool.failure import CANCELLED, FAILED, MISUSED, Failure
from app.tool.screen import Screen, note
from app.tool.stream import JobStream

#: Seconds for the end of a job, in addition to KILL_GRACE.
END_PATIENCE = 60.0


def run(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Run a job. Returns the exit status for its end."""
    settings = checkout.settings()
    client = Client(settings, arguments.url)
    body: dict[str, Any] = {"prompt": _prompt(arguments.prompt), "cwd": _folder(arguments.cwd)}
    for name in ("model", "session_id", "timeout"):
        if getattr(arguments, name) is not None:
            body[name] = getattr(arguments, name)
    response = client.open("POST", "/chat", json=body)
    patience = settings.kill_grace + END_PATIENCE
    cancellation = Cancellation(client, response.headers["X-Process-ID"], patience)
    with JobStream(client, cancellation.job_id, note, response) as stream:
        cancellation.on_signals()
        screen = Screen(arguments.raw)
        try:
            for event in stream:
                status = screen.show(event)
                if status is not None:
                    return status
        except BrokenPipeError:
            # The reader of our output has gone.
            cancellation.cancel()
            raise
    return FAILED


class Cancellation:
    """Cancels one job, at a signal or when its output is no longer read."""

    def __init__(self, client: Client, job_id: str, patience: float) -> None:
        self.job_id = job_id
        self._client = client
        self._patience = patience
        self._was_signalled = False

    def on_signals(self) -> None:
        """From now on, Ctrl-C cancels the job; reading goes on to its last lines."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Programs ignore SIGHUP under nohup, and SIGINT in the background of a shell.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def cancel(self) -> None:
        """Cancel the job, and wait for its end."""
        try:
            self._client.ask("DELETE", f"/chat/{self.job_id}", patience=self._patience)
        except Failure as error:
            if getattr(error, "code", "") != "process_not_found":
                note(str(error))

    def _on_signal(self, *_: object) -> None:
        if self._was_signalled:
            # The second signal: exit at once.
            os._exit(CANCELLED)
        self._was_signalled = True
        note("cancelling the job; press Ctrl-C again to exit at once")
        # In a thread, because the signal interrupts the main thread, which reads the stream.
        threading.Thread(target=self.cancel, daemon=True).start()


def _prompt(words: list[str]) -> str:
    if words and words != ["-"]:
        prompt = " ".join(words)
    elif words or not sys.stdin.isatty():
        try:
            prompt = sys.stdin.buffer.read().decode()
        except UnicodeDecodeError:
            raise Failure("cannot use this prompt: it is not UTF-8", MISUSED) from None
    else:
        prompt = ""
    if not prompt.strip():
        message = 'cannot run a job without a prompt: claudecode2api run "…"'
        raise Failure(message, MISUSED)
    return prompt


def _folder(given: str | None) -> str:
    # Not resolved: the gateway may run on another machine.
    return str(Path.cwd() / given) if given else str(Path.cwd())
