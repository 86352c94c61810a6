"""`claude auth status`, which reports whether the CLI is logged in."""

import json
from collections.abc import Mapping
from pathlib import Path

from app.cli.probe import Probe

#: Seconds to wait for an answer.
PATIENCE = 30.0


def lock_path(state: Path) -> str:
    """The file that is locked (flock(2)) while the command runs.

    Two CLIs that start at once under one HOME have been seen to corrupt its settings (2.1.197).
    """
    return f"{state}/login.lock"


def answer_path(state: Path) -> str:
    """The file with the last answer, for all workers."""
    return f"{state}/login.json"


def start(claude: str, environment: Mapping[str, str], lock: int | None) -> Probe:
    """Start the command. Raises OSError.

    It keeps an open `lock` until it has exited, even if this process ends before. Never kill it:
    it may be in the middle of a refresh of the login's token.
    """
    return Probe([claude, "auth", "status"], environment, lock)


def logged_in(stdout: bytes) -> bool | None:
    """Whether the CLI is logged in, from the command's output; None if that is not known.

    Version 2.1.330 prints JSON with `loggedIn`, and exits with status 1 when logged out.

    >>> logged_in(b'{"loggedIn": false, "authMethod": "none"}')
    False
    >>> logged_in(b"unknown command") is None
    True
    """
    try:
        fields = json.loads(stdout)
    except ValueError:
        return None
    known = fields.get("loggedIn") if isinstance(fields, dict) else None
    return known if isinstance(known, bool) else None
