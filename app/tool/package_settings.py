"""The settings of an installed package: in the current folder, or in the user's own."""

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
    home = Path(environ.get("HOME") or "/")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    try:
        here = Path.cwd()
    except FileNotFoundError:
        # It was removed.
        return config / "claudecode2api/env"
    if (here / TOML_NAME).exists() or _is_ours(here / ".env"):
        return here / ".env"
    return config / "claudecode2api/env"


def _is_ours(path: Path) -> bool:
    try:
        return _OURS.search(path.read_bytes()) is not None
    except OSError:
        return False
