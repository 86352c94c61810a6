"""Whether the CLI is found as the gateway would find it, and is logged in."""

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.cli.account import PATIENCE, logged_in
from app.cli.environment import build_environment
from app.cli.locator import Claude, locate
from app.errors import ConfigurationError
from app.settings import Settings
from app.tool.check import Check, failed, ok, skipped, warning
from app.tool.owner import own_name

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
    yield _login(claude, environment, settings.state_dir)


def _login(claude: Claude, environment: Mapping[str, str], state: Path) -> Check:
    try:
        with _alone(state):
            answer = subprocess.run(  # noqa: S603 - the binary that the gateway runs
                [claude.path, "auth", "status"],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
    except (OSError, subprocess.SubprocessError) as error:
        return warning("login", f"claude auth status failed: {error}", LOGIN)
    known = logged_in(answer.stdout)
    if known is None:
        said = (answer.stdout or answer.stderr).decode(errors="replace").strip()[:200]
        return warning("login", f"claude auth status says neither yes nor no: {said!r}", LOGIN)
    return ok("login", "logged in") if known else failed("login", "not logged in", LOGIN)


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Ask while the gateway does not (see app.cli.login)."""
    try:
        lock = os.open(state / "login.lock", os.O_RDONLY)
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
