"""Checks whether the settings are valid, and their files are private."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.setting_sources import SECRET_FILES, Origin
from app.settings import SECRET, Settings
from app.tool.check import Check, failed, ok, warning
from app.tool.checkout import Checkout
from app.tool.failure import Failure
from app.tool.package_settings import unused_env_file
from app.tool.remedies import Remedies


def check(checkout: Checkout) -> tuple[list[Check], Settings | None]:
    """The rows, and the settings if they are valid."""
    try:
        settings, origins = checkout.settings_with_origins()
    except Failure as error:
        row = failed("settings", str(error), _fix(checkout, str(error)))
        return [_env(checkout, {}), *_toml(checkout, {}), row], None
    row = ok("settings", "all are valid; claudecode2api config shows them")
    return [_env(checkout, origins), *_toml(checkout, origins), row], settings


def _fix(checkout: Checkout, error: str) -> str:
    """What helps against an error in the settings."""
    if error.startswith(f"cannot read {checkout.env_file}, which has the password"):
        return checkout.access_help()
    if error.startswith("cannot use AUTH_PASSWORD: "):
        if checkout.is_image:
            return "start the container with AUTH_PASSWORD_FILE, as scripts/container run does"
        return f"{Remedies(checkout).command} password"
    if any(name in error or f"{name.lower()!r}" in error for name in SECRET_FILES):
        return "correct that setting, or the file that it names"
    if str(checkout.toml_file) in error:
        return f"correct {checkout.toml_file}"
    return f"correct {checkout.env_file}; .env.example explains each setting"


def _env(checkout: Checkout, origins: Mapping[str, Origin]) -> Check:
    path = checkout.env_file
    unused = unused_env_file(path, checkout.is_package)
    unused = f"; {unused}" if unused else ""
    if not path.exists():
        fix = f"{Remedies(checkout).command} password makes it"
        if checkout.is_image:
            fix = "start the container with AUTH_PASSWORD_FILE, as scripts/container run does"
        detail = f"{path} does not exist{unused}"
        if "AUTH_PASSWORD" in checkout.environ:
            return warning(".env", f"{detail}; the environment has a password", fix)
        if origin := origins.get("AUTH_PASSWORD"):
            return ok(".env", f"{detail}; the password is in {origin}")
        return failed(".env", detail, fix)
    if not os.access(path, os.R_OK):
        return failed(".env", f"cannot read {path}", checkout.access_help())
    return _private(".env", path, unused)


def _toml(checkout: Checkout, origins: Mapping[str, Origin]) -> Iterator[Check]:
    """The TOML file, if there is one; only its secrets are private."""
    path = checkout.toml_file
    if not path.exists():
        return
    if any(origins[name].kind == "toml" for name in SECRET & origins.keys()):
        yield _private("toml file", path)
    else:
        yield ok("toml file", str(path))


def _private(name: str, path: Path, more: str = "") -> Check:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        detail = f"{path} has mode {mode:04o}: other users can read its secrets{more}"
        return warning(name, detail, f"chmod 600 {path}")
    return ok(name, f"{path}, mode {mode:04o}{more}")
