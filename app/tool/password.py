"""`claudecode2api password`: write a new password to `.env`."""

import argparse
import secrets
import sys

from app.errors import ConfigurationError
from app.tool.checkout import Checkout
from app.tool.env_file import change_setting, how_to_reload
from app.tool.failure import UNCONFIGURED, Failure
from app.tool.screen import note

#: Random bytes of a password; as text it is a third longer.
STRENGTH = 24


def password(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Write a new password to `.env`. Prints where it is; with --print, the password itself."""
    _refuse_file(checkout)
    new = secrets.token_urlsafe(STRENGTH)
    path = change_setting(checkout, "AUTH_PASSWORD", new)
    if arguments.print:
        sys.stdout.write(f"{new}\n")
    else:
        note(f"AUTH_PASSWORD in {path} is a new password (--print shows it)")
    if "AUTH_PASSWORD" in checkout.environ:
        note("AUTH_PASSWORD is also set in the environment of this shell, where it wins over .env")
    note(how_to_reload(checkout))
    return 0


def _refuse_file(checkout: Checkout) -> None:
    """Refuse to write a password beside AUTH_PASSWORD_FILE: no gateway starts with both."""
    try:
        given = checkout.in_files("AUTH_PASSWORD")
    except ConfigurationError:
        # Writing the file refuses what it cannot keep.
        return
    if given and given.origin.kind == "secret_file":
        raise Failure(
            f"cannot change AUTH_PASSWORD: it is in {given.origin} (AUTH_PASSWORD_FILE); write a"
            " new one there, or remove AUTH_PASSWORD_FILE",
            UNCONFIGURED,
        )
