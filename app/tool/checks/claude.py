"""Whether the CLI is found as the gateway would find it, and is logged in."""

import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.cli import credentials
from app.cli.auth_status import PATIENCE, logged_in
from app.cli.environment import build_environment
from app.cli.locator import Claude, locate
from app.cli.root_check import REFUSES_ROOT, refuses_root
from app.errors import ConfigurationError
from app.settings import Settings
from app.state.files import open_file
from app.tool.check import Check, failed, ok, skipped, warning
from app.tool.owner import own_name

# Bytes of an answer that are read.
_LONGEST = 1 << 16
LOGIN = (
    f"run claude as {own_name()} in a terminal once and log in, or set ANTHROPIC_API_KEY in .env"
)


def check(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """The CLI, and its login."""
    environment = build_environment(environ, settings.environment)
    try:
        claude = locate(settings.claude_path, environment)
    except ConfigurationError as error:
        fix = "install Claude Code, or set CLAUDE_PATH in .env to where it is"
        yield failed("claude", str(error), fix)
        yield skipped("login", "there is no CLI to ask")
        return
    yield ok("claude", f"{claude.version}, {claude.path}, found by {claude.place}")
    if refuses_root(environment, settings):
        fix = "run the gateway as another user, or set DEFAULT_PERMISSION_MODE or IS_SANDBOX=1"
        yield warning("root", REFUSES_ROOT.partition(";")[0], fix)
    yield _login(claude, environment, settings.state_dir)


def _login(claude: Claude, environment: Mapping[str, str], state: Path) -> Check:
    # It must not be asked while its token ends.
    known = credentials.logged_in(environment)
    if known is None:
        try:
            with _alone(state):
                known, words = _ask(claude, environment)
        except OSError as error:
            return warning("login", f"cannot run claude auth status: {error.strerror}", LOGIN)
        if known is None:
            return warning("login", f"claude auth status says neither yes nor no: {words!r}", LOGIN)
    return ok("login", "logged in") if known else failed("login", "not logged in", LOGIN)


def _ask(claude: Claude, environment: Mapping[str, str]) -> tuple[bool | None, str]:
    """Whether the CLI is logged in, and what it printed. Raises OSError.

    One that is slow is left alone: it may be in the middle of a refresh of its token.
    """
    with tempfile.TemporaryFile() as printed:
        asked = subprocess.Popen(  # noqa: S603 - the binary that the gateway runs
            [claude.path, "auth", "status"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
        try:
            asked.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return None, f"no answer within {PATIENCE:g} s"
        printed.seek(0)
        answer = printed.read(_LONGEST)
    return logged_in(answer), answer.decode(errors="replace").strip()[:200]


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Ask while the gateway does not (see app.cli.login)."""
    try:
        lock = open_file(str(state / "login.lock"))
    except OSError:
        # No gateway has asked here yet, or it is another user's.
        yield
        return
    deadline = time.monotonic() + PATIENCE
    try:
        while not _taken(lock) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
