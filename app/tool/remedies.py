"""The remedies that fit how the gateway was installed: a service, a package, by hand, an image."""

import shlex
import shutil
import sys

from app.tool.checkout import Checkout
from app.tool.local_users import own_name


class Remedies:
    """What helps, as the end of a sentence such as "fix: …"."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        #: Whether systemd runs it.
        self.is_service = checkout.unit.is_of(checkout.folder)
        #: Where settings are written.
        self.place = str(checkout.env_file)
        #: How this command is started: it may be in no folder of PATH.
        self.command = "claudecode2api"
        if not checkout.is_package and shutil.which("claudecode2api") is None:
            self.command = shlex.quote(str(checkout.folder / "scripts/claudecode2api"))
        #: How the gateway is reloaded, and how it is started.
        self.reload = f"{self.command} reload"
        self.start = f"{self.command} serve, or install a service with install.sh"
        if checkout.is_image:
            self.place = "the container's environment"
            self.start = "scripts/container run"
        elif self.is_service:
            self.reload = f"sudo systemctl reload {checkout.unit.path.stem}"
            self.start = f"sudo systemctl start {checkout.unit.path.stem}"
        elif checkout.is_package:
            self.start = f"{self.command} serve"

    def set(self, what: str) -> str:
        """How to set this setting or variable."""
        if self._checkout.is_image:
            return f"set {what} in {self.place} (scripts/container run --env …)"
        return f"set {what} in {self.place}"

    def install_claude(self) -> str:
        """How to get a CLI."""
        requirements = self._checkout.folder / "requirements-claude.txt"
        how = "install Claude Code"
        if requirements.exists():
            pip = shlex.join([sys.executable, "-m", "pip"])
            how += f" ({pip} install --no-deps -r {shlex.quote(str(requirements))} does)"
        elif self._checkout.is_package:
            how += " (in a checkout, pipx install --force '.[claude]' brings it)"
        return f"{how}, or {self.set('CLAUDE_PATH')} to where it is"

    def log_in(self, claude: str | None) -> str:
        """How to log in to the CLI at this path, which may be in no folder of PATH."""
        if self._checkout.is_image:
            return (
                "run claude auth login in the container (scripts/container login does), or start"
                " it with ANTHROPIC_API_KEY_FILE"
            )
        user = self._checkout.gateway_user()
        is_known = claude is None or shutil.which("claude") == claude
        program = "claude" if is_known else shlex.quote(str(claude))
        if not self._is_reader(user):
            program = f"sudo -u {user} -H {shlex.quote(claude or 'claude')}"
        key = self.set("ANTHROPIC_API_KEY")
        return f"run {program} auth login, or {key} and reload: {self.reload}"

    def _is_reader(self, user: str) -> bool:
        """Whether this is the user who reads the output; sudo runs programs for another one."""
        return own_name() == user == self._checkout.environ.get("SUDO_USER", user)
