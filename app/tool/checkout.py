"""The gateway's folder on this machine, and its settings as the gateway would read them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from app.errors import ConfigurationError
from app.setting_sources import ENV_FILE, Given, Origin, Sources
from app.settings import Settings, load_state_dir, load_with_origins, setting_kinds
from app.toml_file import TOML_NAME
from app.tool.failure import UNCONFIGURED, Failure
from app.tool.local_users import own_name, owner_of
from app.tool.package_settings import find_env_file
from app.tool.systemd_unit import INSTALLED, Unit


@dataclass(frozen=True)
class Checkout:
    """A checkout, with the environment of its user and the systemd unit that may be installed.

    `is_package` is true for the folder of an installed package, which has no settings in it.
    """

    folder: Path
    environ: Mapping[str, str]
    unit: Unit = INSTALLED
    is_package: bool = False

    @cached_property
    def env_file(self) -> Path:
        """The file with the settings, which may be missing."""
        if named := self.environ.get(ENV_FILE):
            return Path(named).absolute()
        return find_env_file(self.environ) if self.is_package else self.folder / ".env"

    @property
    def is_image(self) -> bool:
        """Whether this is a container's image, which has the code alone and no settings."""
        if self.is_package or self.unit.is_of(self.folder):
            return False
        return not (self.env_file.exists() or (self.folder / ".env.example").exists())

    def gateway_user(self) -> str:
        """The user that the gateway runs as: the unit's, else the owner of its settings."""
        if self.unit.is_of(self.folder):
            return self.unit.value("User") or "root"
        return owner_of(self.env_file) if self.env_file.exists() else own_name()

    @property
    def toml_file(self) -> Path:
        """The file beside it, which may be missing."""
        return self.env_file.with_name(TOML_NAME)

    def settings(self) -> Settings:
        """The settings, as the gateway would read them. Raises Failure."""
        return self.settings_with_origins()[0]

    def settings_with_origins(self) -> tuple[Settings, dict[str, Origin]]:
        """The settings, and where each was given (`load_with_origins`). Raises Failure."""
        file: Path | None = self.env_file
        toml: Path | None = self.toml_file
        if os.path.lexists(self.env_file) and not os.access(self.env_file, os.R_OK):
            if not self.environ.keys() & {"AUTH_PASSWORD", "AUTH_PASSWORD_FILE"}:
                raise Failure(
                    f"cannot read {self.env_file}, which has the password: {self.access_help()}, or"
                    " set AUTH_PASSWORD in the environment",
                    UNCONFIGURED,
                )
            file = None
            toml = toml if os.access(self.toml_file, os.R_OK) else None
        try:
            return load_with_origins(self.gateway_environ(), file, toml)
        except ConfigurationError as error:
            raise Failure(str(error), UNCONFIGURED) from None

    def state_dir(self) -> Path:
        """STATE_DIR, also where other settings cannot be used. Raises Failure."""
        if os.path.lexists(self.env_file) and not os.access(self.env_file, os.R_OK):
            raise Failure(f"cannot read {self.env_file}: {self.access_help()}", UNCONFIGURED)
        try:
            return load_state_dir(self.gateway_environ(), self.env_file)
        except ConfigurationError as error:
            raise Failure(str(error), UNCONFIGURED) from None

    def in_files(self, name: str) -> Given | None:
        """What the files have for a setting that may be in one of its own; None if nothing.

        Raises ConfigurationError.
        """
        own = f"{name}_FILE"
        environ = {own: self.environ[own]} if own in self.environ else {}
        return Sources(environ, self.env_file, self.toml_file, setting_kinds()).find(name)

    def gateway_environ(self) -> dict[str, str]:
        """Our environment, with the changes that systemd makes for the gateway."""
        added = self.unit.environment() if self.unit.is_of(self.folder) else {}
        return {**self.environ, **added}

    def root_refusal(self) -> str | None:
        """Why root must not run what another user's settings name, like the CLI; None if it may."""
        if os.geteuid() != 0:
            return None
        for file in (self.env_file, self.toml_file):
            if file.exists() and (owner := owner_of(file)) != own_name():
                return (
                    f"root must not run what {owner} sets in {file};"
                    f" run this as {owner} (sudo -u {owner} claudecode2api …)"
                )
        return None

    def access_help(self) -> str:
        """Which user can read and write `.env`, and how to run this as that user."""
        try:
            owner = owner_of(self.env_file)
        except OSError as error:
            return f"it is a link to {self.env_file.readlink()} ({error.strerror}); correct it"
        if owner == own_name():
            return f"its mode denies access to its owner {owner}: chmod 600 {self.env_file}"
        return f"only {owner} can use it; run this as {owner} (sudo -u {owner} claudecode2api …)"
