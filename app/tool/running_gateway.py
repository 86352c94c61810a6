"""What a gateway that runs reports about itself at `/health`."""

import time
from typing import Any, NamedTuple

from app.tool.client import Client
from app.tool.failure import Failure, RequestRefused

#: Seconds to wait for a gateway that does not know yet whether the CLI is logged in.
PATIENCE = 3.0
_PAUSE = 0.1
# Seconds for one response; another program may have the port, and never respond.
_PATIENCE = 10.0


class RunningGateway(NamedTuple):
    """The CLI that it uses, and its own version.

    `capabilities` has what the CLI can do; it and `logged_in` are None while that is not known.
    """

    claude_path: str
    claude_version: str
    claude_runs: bool
    logged_in: bool | None
    capabilities: dict[str, bool] | None
    version: str


def ask(client: Client) -> RunningGateway | None:
    """The gateway that answers; None if none does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        running = _read(_health(client))
        if running is None or running.logged_in is not None or time.monotonic() > deadline:
            return running
        time.sleep(_PAUSE)


def _health(client: Client) -> dict[str, Any]:
    try:
        return client.ask("GET", "/health", patience=_PATIENCE)
    except RequestRefused as error:
        # Jobs cannot run; what the gateway uses is in the answer all the same.
        return error.fields
    except Failure:
        return {}


def _read(health: dict[str, Any]) -> RunningGateway | None:
    path, checks = health.get("claude_path"), health.get("checks")
    if not isinstance(path, str) or not isinstance(checks, dict):
        return None
    claude = checks.get("claude")
    return RunningGateway(
        path,
        str(health.get("claude_version")),
        isinstance(claude, dict) and claude.get("ok") is True,
        health.get("logged_in"),
        health.get("capabilities"),
        str(health.get("version")),
    )
