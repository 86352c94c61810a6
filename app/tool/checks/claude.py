"""Checks whether the gateway has a CLI that runs, what it can do, and whether it is logged in.

Where a gateway runs, the rows are about what it reports, and not about this terminal.
"""

from collections.abc import Collection, Iterator
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
from app.tool.checkout import Checkout
from app.tool.login_status import LoginStatus, ask_cli
from app.tool.remedies import Remedies
from app.tool.running_gateway import RunningGateway

#: The checks that are always there.
NAMES = ("claude", "capabilities", "login")


class OwnClaude:
    """The CLI that a gateway would find which is started from here, with these settings."""

    def __init__(self, checkout: Checkout, settings: Settings) -> None:
        self._remedies = Remedies(checkout)
        self._settings = settings
        self._environment = build_environment(checkout.gateway_environ(), settings.environment)
        self._error = ""
        self._found: Claude | None = None
        try:
            self._found = locate(settings.claude_path, self._environment)
        except ConfigurationError as error:
            self._error = str(error)

    def check(self) -> Iterator[Check]:
        """The CLI, its capabilities, and its login, for a gateway that does not run."""
        if self._found is None:
            yield failed("claude", self._error, self._remedies.install_claude())
            yield skipped("capabilities", "there is no CLI to ask")
            yield skipped("login", "there is no CLI to ask")
            return
        claude = self._found
        yield ok("claude", f"{claude.version}, {claude.path}, found by {claude.place}")
        yield from self.check_root()
        yield from self.check_capabilities()
        yield self._login(claude)

    def check_root(self) -> Iterator[Check]:
        """A row if the CLI refuses what requests usually ask for."""
        if refuses_root(self._environment, self._settings):
            fix = (
                "run the gateway as another user, or"
                f" {self._remedies.set('DEFAULT_PERMISSION_MODE or IS_SANDBOX=1')}"
            )
            yield warning("root", REFUSES_ROOT.partition(";")[0], fix)

    def compare(self, running: RunningGateway) -> Iterator[Check]:
        """A row for each difference to what the running gateway reports."""
        if self._found is None:
            detail = f"here, a gateway would not start: {self._error}"
            yield warning("claude here", detail, f"{self._remedies.set('CLAUDE_PATH')}")
            return
        here = self._found
        if (here.path, here.version) != (running.claude_path, running.claude_version):
            yield warning(
                "claude here",
                f"a gateway that is started here would use {here.version}, {here.path}, found by"
                f" {here.place}",
                f"{self._remedies.set('CLAUDE_PATH')}, and reload: {self._remedies.reload}",
            )
        elif running.logged_in is False and self._ask(here).known:
            yield warning(
                "login here",
                "logged in. The gateway's answer may be a minute old, or its environment and this"
                " one differ",
                "run this again in a minute; if it stays, the variables that log in (such as"
                f" ANTHROPIC_API_KEY) belong into {self._remedies.place}",
            )

    def is_at(self, path: str) -> bool:
        """Whether it is the CLI at this path."""
        return self._found is not None and self._found.path == path

    def check_capabilities(self) -> Iterator[Check]:
        """What the CLI can do: as a gateway has found it out, or found out now."""
        if self._found is not None:
            yield self._capabilities(self._found)

    def _capabilities(self, claude: Claude) -> Check:
        found = None
        if claude.identity is not None:
            binary = Binary(*claude.identity, claude.version)
            found = read_capabilities(str(self._settings.state_dir), binary, ALL)
        try:
            return _lacking(missing(self._probe(claude) if found is None else found))
        except (OSError, ProbeFailed) as error:
            detail = f"cannot find out what the CLI can do: {error}"
            return warning("capabilities", detail, "update Claude Code")

    def _probe(self, claude: Claude) -> frozenset[str]:
        with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            return find_capabilities(claude.path, self._environment, scratch)

    def _login(self, claude: Claude) -> Check:
        help_ = self._remedies.log_in(claude.path)
        known, reason = self._ask(claude)
        if known is None:
            return warning("login", reason, help_)
        return ok("login", "logged in") if known else failed("login", "not logged in", help_)

    def _ask(self, claude: Claude) -> LoginStatus:
        return ask_cli(claude.path, self._environment, self._settings.state_dir)


def check_running(
    remedies: Remedies, running: RunningGateway, own: OwnClaude | None
) -> Iterator[Check]:
    """The CLI of a gateway that runs, by its own report.

    `own` is the CLI that would be found here, if this is the gateway's machine and user.
    """
    path, version = running.claude_path, running.claude_version
    if running.claude_runs:
        yield ok("claude", f"{version}, {path}, which the gateway uses")
    else:
        yield failed(
            "claude",
            f"the gateway uses {path}, which does not run",
            f"install Claude Code there, or {remedies.set('CLAUDE_PATH')} and reload:"
            f" {remedies.reload}",
        )
    if running.capabilities is not None:
        yield _lacking([name for name, can in running.capabilities.items() if not can])
    elif own and own.is_at(running.claude_path):
        yield from own.check_capabilities()
    else:
        detail = "the gateway does not know yet what the CLI can do"
        yield warning("capabilities", detail, "run this again; if it stays, update Claude Code")
    help_ = remedies.log_in(path)
    if running.logged_in is None:
        yield warning("login", "the gateway does not know yet, or the CLI does not answer", help_)
    elif running.logged_in:
        yield ok("login", "logged in, as the gateway reports")
    else:
        yield failed("login", "not logged in, as the gateway reports", help_)


def _lacking(names: Collection[str]) -> Check:
    if names:
        detail = f"the CLI does not support {', '.join(names)}"
        fix = "update Claude Code; until then such requests are refused, or run in the plain way"
        return warning("capabilities", detail, fix)
    return ok("capabilities", "the CLI supports all that the gateway uses")
