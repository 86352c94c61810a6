"""The gateway's folder on this machine: its settings, as the gateway itself would read them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import ConfigurationError
from app.settings import Settings
from app.tool.failure import UNCONFIGURED, Failure
from app.tool.owner import own_name, owner_of
from app.tool.unit import INSTALLED, Unit


@dataclass(frozen=True)
class Checkout:
    """A checkout, with the environment of who uses it and the unit that systemd may have."""

    folder: Path
    environ: Mapping[str, str]
    unit: Unit = INSTALLED

    @property
    def env_file(self) -> Path:
        """The file of settings. It may be missing."""
        return self.folder / ".env"

    def settings(self) -> Settings:
        """The settings, of which the environment's win. Raises Failure."""
        file: Path | None = self.env_file
        if os.path.lexists(self.env_file) and not os.access(self.env_file, os.R_OK):
            if "AUTH_PASSWORD" not in self.environ:
                raise Failure(
                    f"cannot read {self.env_file}, which has the password: {self.whose()}, or set"
                    " AUTH_PASSWORD in the environment",
                    UNCONFIGURED,
                )
            file = None
        try:
            return Settings.load(self.gateways_environ(), file)
        except ConfigurationError as error:
            raise Failure(str(error), UNCONFIGURED) from None

    def gateways_environ(self) -> dict[str, str]:
        """Our environment, with what systemd makes different for the gateway."""
        added = self.unit.environment() if self.unit.is_of(self.folder) else {}
        return {**self.environ, **added}

    def refused_to_root(self) -> str | None:
        """Why root must not run what the settings name, like the CLI: they are another user's."""
        if os.geteuid() != 0 or not self.env_file.exists():
            return None
        owner = owner_of(self.env_file)
        if owner == own_name():
            return None
        return (
            f"root must not run what {owner} chooses in {self.env_file};"
            f" run this as {owner} (sudo -u {owner} claudecode2api …)"
        )

    def whose(self) -> str:
        """Who may use `.env`, and how to be that one, for a message."""
        try:
            owner = owner_of(self.env_file)
        except OSError as error:
            return f"it is a link to {self.env_file.readlink()} ({error.strerror}); correct it"
        if owner == own_name():
            return f"its mode keeps {owner}, its owner, out: chmod 600 {self.env_file}"
        return f"it is {owner}'s alone; run this as {owner} (sudo -u {owner} claudecode2api …)"
