"""Checks whether `.env` exists, is private, and is valid."""

import os
import stat

from app.settings import Settings
from app.tool.check import Check, failed, ok, warning
from app.tool.checkout import Checkout
from app.tool.failure import Failure


def check(checkout: Checkout) -> tuple[list[Check], Settings | None]:
    """The rows, and the settings if they are valid."""
    try:
        settings = checkout.settings()
    except Failure as error:
        fix = f"correct {checkout.env_file}; .env.example explains each setting"
        if "AUTH_PASSWORD" in str(error):
            fix = "claudecode2api password"
        return [_file(checkout), failed("settings", str(error), fix)], None
    return [_file(checkout), ok("settings", "all are valid")], settings


def _file(checkout: Checkout) -> Check:
    path = checkout.env_file
    if not path.exists():
        fix = f"claudecode2api password makes it from {checkout.folder}/.env.example"
        detail = f"{path} does not exist"
        if "AUTH_PASSWORD" in checkout.environ:
            return warning(".env", f"{detail}; the environment has a password", fix)
        return failed(".env", detail, fix)
    if not os.access(path, os.R_OK):
        return failed(".env", f"cannot read {path}", checkout.access_help())
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        detail = f"{path} has mode {mode:04o}: other users can read the password"
        return warning(".env", detail, f"chmod 600 {path}")
    return ok(".env", f"{path}, mode {mode:04o}")
