"""`claudecode2api password`: make a new password, and write it to `.env`."""

import argparse
import secrets
import sys
from pathlib import Path

from app.errors import ConfigurationError
from app.tool.checkout import Checkout
from app.tool.env_file import change_setting, how_to_reload
from app.tool.failure import UNCONFIGURED, Failure
from app.tool.remedies import Remedies
from app.tool.screen import note

#: Random bytes of a password; as text it is a third longer.
STRENGTH = 24
_NO_WRITE = "claudecode2api password --no-write"


def password(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Write a new password to `.env`. Prints where it is; with --print, the password itself.

    With --no-write, it only prints one.
    """
    new = secrets.token_urlsafe(STRENGTH)
    if arguments.no_write:
        sys.stdout.write(f"{new}\n")
        sys.stdout.flush()
        place = _own_file(checkout) or "the file that AUTH_PASSWORD_FILE names"
        note(f"write it to {place}, or set AUTH_PASSWORD to it; then: {Remedies(checkout).reload}")
        return 0
    _refuse(checkout)
    path = change_setting(checkout, "AUTH_PASSWORD", new)
    if arguments.print:
        sys.stdout.write(f"{new}\n")
    else:
        note(f"AUTH_PASSWORD in {path} is a new password")
    if "AUTH_PASSWORD" in checkout.environ:
        note("AUTH_PASSWORD is also set in the environment of this shell, where it wins over .env")
    note(how_to_reload(checkout))
    return 0


def _refuse(checkout: Checkout) -> None:
    """Refuse to write a password where it has no effect, or where no gateway would start."""
    if path := _own_file(checkout):
        # With both, no gateway starts.
        raise Failure(
            f"cannot change AUTH_PASSWORD: it is in {path} (AUTH_PASSWORD_FILE); write a new one"
            f" there ({_NO_WRITE} prints one), or remove AUTH_PASSWORD_FILE",
            UNCONFIGURED,
        )
    if checkout.is_image:
        raise Failure(
            f"cannot write a password: a container has no .env; {_NO_WRITE} prints one for the file"
            " that AUTH_PASSWORD_FILE names",
            UNCONFIGURED,
        )


def _own_file(checkout: Checkout) -> Path | None:
    """The file that AUTH_PASSWORD_FILE names; None if it names none."""
    try:
        given = checkout.in_files("AUTH_PASSWORD")
    except ConfigurationError:
        # Writing the file refuses what it cannot keep.
        return None
    return given.origin.path if given and given.origin.kind == "secret_file" else None
