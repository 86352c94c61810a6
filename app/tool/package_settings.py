"""The settings of an installed package: in the current folder, or in the user's own."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from app.toml_file import TOML_NAME

# Other programs have a `.env`, too; the gateway's has the password.
_OURS = re.compile(rb"^\s*(export\s+)?AUTH_PASSWORD(_FILE)?\s*=", re.MULTILINE)


def find_env_file(environ: Mapping[str, str]) -> Path:
    """`.env` in the current folder if that is the gateway's, else ~/.config/claudecode2api/env.

    The folder is the gateway's if it has claudecode2api.toml, or a `.env` that sets AUTH_PASSWORD
    or AUTH_PASSWORD_FILE. The file may be missing.
    """
    here = _current_folder()
    if here and (_exists(here / TOML_NAME) or _is_ours(here / ".env")):
        return here / ".env"
    home = Path(environ.get("HOME") or "~").expanduser()
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return config / "claudecode2api/env"


def unused_env_file(used: Path, is_package: bool = True) -> str:
    """A sentence about a `.env` in the current folder that is not the file that is `used`.

    From a checkout, only one with a password looks as if it were for the gateway.
    """
    here = _current_folder()
    if here is None or used == here / ".env" or not _exists(here / ".env"):
        return ""
    if not is_package or _is_ours(here / ".env"):
        unused = f"{here / '.env'} is not used; the settings are those of {used}"
        return unused if _is_ours(here / ".env") else ""
    return (
        f"{here / '.env'} is not used, because it sets neither AUTH_PASSWORD nor"
        f" AUTH_PASSWORD_FILE; the settings are those of {used}"
    )


def _current_folder() -> Path | None:
    """The current folder; None if it was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _exists(path: Path) -> bool:
    """Whether a file exists. In another user's folder, as after `sudo -u`, that is not known."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises PermissionError


def _is_ours(path: Path) -> bool:
    try:
        return _OURS.search(path.read_bytes()) is not None
    except OSError:
        return False
