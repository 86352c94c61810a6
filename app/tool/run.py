"""`claudecode2api run`: start a job, show its answer, and exit as it ended."""

import argparse
import sys
from pathlib import Path
from typing import Any

from requests import Response

from app.tool import running_gateway
from app.tool.asker import Asker
from app.tool.checkout import Checkout
from app.tool.client import Client, client_of
from app.tool.failure import FAILED, MISUSED, Failure, RequestRefused
from app.tool.find_job import SHOWN
from app.tool.interruption import END_PATIENCE, Interruption
from app.tool.latest_session import latest_session
from app.tool.remedies import Remedies
from app.tool.screen import Screen, Shown, note, print_json
from app.tool.stream import JobStream, when_back
from app.tool.terminal import Terminal
from app.tool.text_argument import text_of

#: Options that are fields of the request.
_FIELDS = ("model", "session_id", "timeout", "permission_mode", "allowed_tools", "keep_alive")

#: The field with which the answer comes in pieces.
_PIECES = "include_partial_messages"


def run(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Run a job. Returns the exit status for its end."""
    if arguments.detach and arguments.raw:
        raise Failure("cannot use --raw with --detach, which shows no output", MISUSED)
    settings = checkout.settings()
    client = client_of(checkout, arguments.url)
    body = _body(client, arguments)
    if arguments.detach:
        return _start(client, body, arguments.json)
    terminal = Terminal() if arguments.ask else None
    response = _open(client, body)
    job_id = response.headers["X-Process-ID"]
    interruption = Interruption(client, job_id, settings.kill_grace + END_PATIENCE)
    screen = Screen(_shown(arguments))
    asker = terminal and Asker(client, job_id, terminal, screen)
    with JobStream(client, job_id, screen.note, response) as stream:
        interruption.on_signals()
        try:
            for event in stream:
                status = screen.show(event)
                if status is not None:
                    break
                if asker:
                    asker.see(event)
            else:
                return FAILED
        except BrokenPipeError:
            # The reader of our output has gone.
            interruption.cancel()
            raise
    if arguments.json:
        print_json(when_back(lambda: client.ask("GET", f"/jobs/{job_id}")))
    if screen.reason == "not_logged_in":
        note(_how_to_log_in(checkout, client, is_here=arguments.url is None))
    return status


def _how_to_log_in(checkout: Checkout, client: Client, is_here: bool) -> str:
    if not is_here:
        return "log in to the CLI on the gateway's machine, or set ANTHROPIC_API_KEY there"
    running = running_gateway.ask(client)
    claude = running.claude_path if running else None
    return f"to log in, {Remedies(checkout).log_in(claude)}"


def _open(client: Client, body: dict[str, Any]) -> Response:
    """The stream of a new job."""
    try:
        return client.open("POST", "/chat", json=body)
    except RequestRefused as error:
        # An old gateway or CLI: the answer is shown block by block.
        if _PIECES not in body or _PIECES not in error.detail:
            raise
    body = {name: value for name, value in body.items() if name != _PIECES}
    return client.open("POST", "/chat", json=body)


def _start(client: Client, body: dict[str, Any], as_json: bool) -> int:
    """Start a job that goes on by itself."""
    headers = {"Prefer": "respond-async"}
    job_id = client.ask("POST", "/chat", json=body, headers=headers)["process_id"]
    if as_json:
        print_json(client.ask("GET", f"/jobs/{job_id}"))
    else:
        sys.stdout.write(f"{job_id}\n")
        note(f"the job has started: claudecode2api logs --follow {job_id[:SHOWN]}")
    return 0


def _body(client: Client, arguments: argparse.Namespace) -> dict[str, Any]:
    """The request's body."""
    prompt, folder = _prompt(arguments.prompt), _folder(arguments.cwd)
    body: dict[str, Any] = {"prompt": prompt, "cwd": folder}
    for name in _FIELDS:
        if getattr(arguments, name) is not None:
            body[name] = getattr(arguments, name)
    if arguments.ask:
        body["ask"] = True
    if arguments.continue_:
        body["session_id"] = latest_session(client, folder)
    if _shown(arguments) is Shown.TEXT and not arguments.detach:
        body[_PIECES] = True
    return body


def _shown(arguments: argparse.Namespace) -> Shown:
    if arguments.json:
        return Shown.NOTHING
    return Shown.LINES if arguments.raw else Shown.TEXT


def _prompt(words: list[str]) -> str:
    text = text_of(words)
    if not text.strip():
        message = 'cannot run a job without a prompt: claudecode2api run "…"'
        raise Failure(message, MISUSED)
    return text


def _folder(given: str | None) -> str:
    # Not resolved: the gateway may run on another machine.
    return str(Path.cwd() / given) if given else str(Path.cwd())
