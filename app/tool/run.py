"""`claudecode2api run`: start a job, show its answer, and take its end for one's own."""

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

#: Seconds, beside KILL_GRACE, that a job's end may take.
END_PATIENCE = 60.0


def run(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Run a job. Returns the exit status that tells how it ended."""
    settings = checkout.settings()
    client = Client(settings, arguments.url)
    body: dict[str, Any] = {"prompt": _prompt(arguments.prompt), "cwd": _folder(arguments.cwd)}
    for name in ("model", "session_id", "timeout"):
        if getattr(arguments, name) is not None:
            body[name] = getattr(arguments, name)
    response = client.open("POST", "/chat", json=body)
    end = JobEnd(client, response.headers["X-Process-ID"], settings.kill_grace + END_PATIENCE)
    with JobStream(client, end.job_id, note, response) as stream:
        end.on_signals()
        screen = Screen(arguments.raw)
        try:
            for event in stream:
                status = screen.show(event)
                if status is not None:
                    return status
        except BrokenPipeError:
            # Who reads us has gone, and so do we.
            end.cancel()
            raise
    return FAILED


class JobEnd:
    """Ends one job for a user who wants it no more."""

    def __init__(self, client: Client, job_id: str, patience: float) -> None:
        self.job_id = job_id
        self._client = client
        self._patience = patience
        self._asked = False

    def on_signals(self) -> None:
        """From now on let Ctrl-C end the job, and go on reading: its last words are to come."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup has a program ignore SIGHUP, and a shell SIGINT in the background.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._signalled)

    def cancel(self) -> None:
        """Ask for the job's end, and wait for it."""
        try:
            self._client.ask("DELETE", f"/chat/{self.job_id}", patience=self._patience)
        except Failure as error:
            if getattr(error, "code", "") != "process_not_found":
                note(str(error))

    def _signalled(self, *_: object) -> None:
        if self._asked:
            # The second time: without waiting for anything.
            os._exit(CANCELLED)
        self._asked = True
        note("ending the job; Ctrl-C once more leaves at once")
        # A thread, because the stream is read where the signal struck.
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
        message = 'cannot run a job without a prompt; write one: claudecode2api run "…"'
        raise Failure(message, MISUSED)
    return prompt


def _folder(given: str | None) -> str:
    # Not resolved: the gateway may run on another machine.
    return str(Path.cwd() / given) if given else str(Path.cwd())
