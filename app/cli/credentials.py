"""The CLI's credentials file, read without running the CLI."""

import json
import math
import os
import stat
import time
from collections.abc import Mapping
from typing import NamedTuple

#: Seconds before the token expires in which `claude auth status` must not be run: with less than
#: five minutes left it refreshes the token, and exits in the middle of that if the response is
#: slow, which can log the user out (2.1.330).
MARGIN = 600.0

_LARGEST = 1 << 20
# The file may have any number.
_LATEST = 1e15
# With one of these, the CLI does not sign in with the file.
_INSTEAD = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")


def path_of(environment: Mapping[str, str]) -> str:
    """The path of the file, given the CLI's environment."""
    home = environment.get("HOME", "/nonexistent")
    folder = environment.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude"
    return f"{folder}/.credentials.json"


def might_exist(environment: Mapping[str, str]) -> bool:
    """Whether the CLI, with this environment, finds credentials, be they valid or not.

    It may have others: of a cloud, or by a command in its settings.
    """
    return any(environment.get(name) for name in _INSTEAD) or os.path.lexists(path_of(environment))


class Login(NamedTuple):
    """The login in the file. `expires_at` is in seconds since the epoch, or infinity."""

    token: str
    expires_at: float


def login_in(environment: Mapping[str, str]) -> Login | None:
    """The login that the file has now, whether or not it has expired; None if it has none."""
    oauth = _oauth(path_of(environment))
    token, expires_at = oauth.get("accessToken"), oauth.get("expiresAt")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        return None
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        return Login(token, math.inf)
    return Login(token, min(expires_at, _LATEST) / 1000)


def logged_in(environment: Mapping[str, str]) -> bool | None:
    """Whether the CLI is logged in, if its token has expired or is about to.

    Otherwise None: `claude auth status` can be run.
    """
    oauth = _oauth(path_of(environment))
    expires_at = oauth.get("expiresAt")
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        return None
    left = expires_at / 1000 - time.time()
    if not math.isfinite(left) or left > MARGIN:
        return None
    if any(environment.get(name) for name in _INSTEAD):
        return True
    # The CLI refreshes the token when the next job starts.
    return left > 0 or bool(oauth.get("refreshToken"))


def changed_within(environment: Mapping[str, str], seconds: float) -> bool:
    """Whether the file was written within the last `seconds`, as by a login."""
    try:
        written = os.lstat(path_of(environment)).st_mtime
    except (OSError, ValueError):
        return False
    return 0 <= time.time() - written < seconds


def _oauth(path: str) -> dict[str, object]:
    """The object `claudeAiOauth` in a file that may be anything; empty if there is none."""
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
