"""The gateway's folder on this machine, and its settings as the gateway would read them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import ConfigurationError
from app.settings import Settings
from app.tool.failure import UNCONFIGURED, Failure
from app.tool.local_users import own_name, owner_of
from app.tool.systemd_unit import INSTALLED, Unit


@dataclass(frozen=True)
class Checkout:
    """A checkout, with the environment of its user and the systemd unit that may be installed."""

    folder: Path
    environ: Mapping[str, str]
    unit: Unit = INSTALLED

    @property
    def env_file(self) -> Path:
        """The file with the settings, which may be missing."""
        return self.folder / ".env"

    def settings(self) -> Settings:
        """The settings; a variable of the environment wins over `.env`. Raises Failure."""
        file: Path | None = self.env_file
        if os.path.lexists(self.env_file) and not os.access(self.env_file, os.R_OK):
            if "AUTH_PASSWORD" not in self.environ:
                raise Failure(
                    f"cannot read {self.env_file}, which has the password: {self.access_help()}, or"
                    " set AUTH_PASSWORD in the environment",
                    UNCONFIGURED,
                )
            file = None
        try:
            return Settings.load(self.gateway_environ(), file)
        except ConfigurationError as error:
            raise Failure(str(error), UNCONFIGURED) from None

    def gateway_environ(self) -> dict[str, str]:
        """Our environment, with the changes that systemd makes for the gateway."""
        added = self.unit.environment() if self.unit.is_of(self.folder) else {}
        return {**self.environ, **added}

    def root_refusal(self) -> str | None:
        """Why root must not run what another user's settings name, like the CLI; None if it may."""
        if os.geteuid() != 0 or not self.env_file.exists():
            return None
        owner = owner_of(self.env_file)
        if owner == own_name():
            return None
        return (
            f"root must not run what {owner} sets in {self.env_file};"
            f" run this as {owner} (sudo -u {owner} claudecode2api …)"
        )

    def access_help(self) -> str:
        """Which user can read and write `.env`, and how to run this as that user."""
        try:
            owner = owner_of(self.env_file)
        except OSError as error:
            return f"it is a link to {self.env_file.readlink()} ({error.strerror}); correct it"
        if owner == own_name():
            return f"its mode denies access to its owner {owner}: chmod 600 {self.env_file}"
        return f"only {owner} can use it; run this as {owner} (sudo -u {owner} claudecode2api …)"
