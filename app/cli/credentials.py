"""What the CLI's file of credentials says about the login, read without running the CLI."""

import json
import math
import os
import stat
import time
from collections.abc import Mapping

#: Seconds before a token's end from which on the CLI must not be asked about its login: with less
#: than five minutes left, `claude auth status` begins a refresh of the token and exits in the
#: middle of it if the answer is slow, which can log the user out (2.1.330).
MARGIN = 600.0

_LARGEST = 1 << 20
# With one of these the file is not what the CLI signs in with.
_INSTEAD = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")


def path_of(environment: Mapping[str, str]) -> str:
    """The file, in the CLI's environment."""
    home = environment.get("HOME", "/nonexistent")
    folder = environment.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude"
    return f"{folder}/.credentials.json"


def logged_in(environment: Mapping[str, str]) -> bool | None:
    """Whether the CLI is logged in, if it must not be asked: its token ends soon, or has ended.

    None if it can be asked.
    """
    oauth = _oauth(path_of(environment))
    ends_at = oauth.get("expiresAt")
    if isinstance(ends_at, bool) or not isinstance(ends_at, int | float):
        return None
    left = ends_at / 1000 - time.time()
    if not math.isfinite(left) or left > MARGIN:
        return None
    if any(environment.get(name) for name in _INSTEAD):
        return True
    # The CLI refreshes it when the next job starts.
    return left > 0 or bool(oauth.get("refreshToken"))


def _oauth(path: str) -> dict[str, object]:
    """The file's object `claudeAiOauth`; empty if there is none. The file may be anything."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return {}
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            return {}
        fields = json.loads(os.read(descriptor, found.st_size))
    except (OSError, ValueError, RecursionError):
        return {}
    finally:
        os.close(descriptor)
    oauth = fields.get("claudeAiOauth") if isinstance(fields, dict) else None
    return oauth if isinstance(oauth, dict) else {}
