"""Checks whether the gateway would find the CLI, what it can do, and whether it is logged in."""

import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from app.cli.capabilities import ALL, missing
from app.cli.capability_file import Binary, read_capabilities
from app.cli.capability_probe import ProbeFailed, find_capabilities
from app.cli.environment import build_environment
from app.cli.locator import Claude, locate
from app.cli.root_check import REFUSES_ROOT, refuses_root
from app.errors import ConfigurationError
from app.settings import Settings
from app.tool.check import Check, failed, ok, skipped, warning
from app.tool.local_users import own_name
from app.tool.login_status import ask_cli

#: The checks that are always there.
NAMES = ("claude", "capabilities", "login")


def login_help(path: str) -> str:
    """How to log in to the CLI at this path, which may be in no folder of PATH."""
    program = "claude" if shutil.which("claude") == path else shlex.quote(path)
    return (
        f"run {program} as {own_name()} in a terminal once and log in, or set ANTHROPIC_API_KEY"
        " in .env"
    )


def check(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """The CLI, its capabilities, and its login."""
    environment = build_environment(environ, settings.environment)
    try:
        claude = locate(settings.claude_path, environment)
    except ConfigurationError as error:
        fix = "install Claude Code, or set CLAUDE_PATH in .env to where it is"
        yield failed("claude", str(error), fix)
        yield skipped("capabilities", "there is no CLI to ask")
        yield skipped("login", "there is no CLI to ask")
        return
    yield ok("claude", f"{claude.version}, {claude.path}, found by {claude.place}")
    if refuses_root(environment, settings):
        fix = "run the gateway as another user, or set DEFAULT_PERMISSION_MODE or IS_SANDBOX=1"
        yield warning("root", REFUSES_ROOT.partition(";")[0], fix)
    yield _capabilities(claude, environment, settings.state_dir)
    yield _login(claude, environment, settings.state_dir)


def _capabilities(claude: Claude, environment: Mapping[str, str], state: Path) -> Check:
    """What the CLI can do: as the gateway has found it out, or found out now."""
    found = None
    if claude.identity is not None:
        found = read_capabilities(str(state), Binary(*claude.identity, claude.version), ALL)
    try:
        lacking = missing(_probe(claude, environment) if found is None else found)
    except (OSError, ProbeFailed) as error:
        detail = f"cannot find out what the CLI can do: {error}"
        return warning("capabilities", detail, "update Claude Code")
    if lacking:
        detail = f"the CLI does not support {', '.join(lacking)}"
        fix = "update Claude Code; until then such requests are refused, or run in the plain way"
        return warning("capabilities", detail, fix)
    return ok("capabilities", "the CLI supports all that the gateway uses")


def _probe(claude: Claude, environment: Mapping[str, str]) -> frozenset[str]:
    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        return find_capabilities(claude.path, environment, scratch)


def _login(claude: Claude, environment: Mapping[str, str], state: Path) -> Check:
    help_ = login_help(claude.path)
    known, reason = ask_cli(claude.path, environment, state)
    if known is None:
        return warning("login", reason, help_)
    return ok("login", "logged in") if known else failed("login", "not logged in", help_)
