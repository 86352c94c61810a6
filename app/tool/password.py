"""`claudecode2api password`: a new password into `.env`."""

import argparse
import io
import os
import secrets
import sys
import tempfile
from pathlib import Path

from dotenv.parser import parse_stream

from app.errors import ConfigurationError
from app.settings import read_env_file
from app.tool.checkout import Checkout
from app.tool.failure import UNCONFIGURED, Failure
from app.tool.master import master_of
from app.tool.screen import note

#: Random bytes of a password; it is a third longer.
STRENGTH = 24


def password(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Write a new password into `.env`, and say where it is or, with --print, what it is."""
    new = secrets.token_urlsafe(STRENGTH)
    path = checkout.env_file.resolve()
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise Failure(f"cannot change {path}: {checkout.whose()}", UNCONFIGURED)
    try:
        # Text that cannot be read could not be kept either.
        read_env_file(path)
        _replace(path, with_password(_text(checkout), new))
    except ConfigurationError as error:
        raise Failure(str(error), UNCONFIGURED) from None
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from None
    if arguments.print:
        sys.stdout.write(f"{new}\n")
    else:
        note(f"a new password is in {path} as AUTH_PASSWORD (--print would have shown it)")
    if "AUTH_PASSWORD" in checkout.environ:
        note("AUTH_PASSWORD is also set in the environment of this shell, where it wins over .env")
    note(_how_to_reload(checkout))
    return 0


def with_password(text: str, new: str) -> str:
    r"""The text of `.env` with a new password, every other line as it was.

    >>> with_password("A=1\nAUTH_PASSWORD='old' # mine\nB=2\n", "new")
    'A=1\nAUTH_PASSWORD=new\nB=2\n'
    >>> with_password("A=1", "new")
    'A=1\nAUTH_PASSWORD=new\n'
    """
    parts = []
    found = False
    for binding in parse_stream(io.StringIO(text, newline="")):
        string = binding.original.string
        if binding.key == "AUTH_PASSWORD":
            found = True
            # The parser counts the blank lines before as part of it.
            before = string[: len(string) - len(string.lstrip("\r\n"))]
            after = string[len(string.rstrip("\r\n")) :] or "\n"
            string = f"{before}AUTH_PASSWORD={new}{after}"
        parts.append(string)
    whole = "".join(parts)
    if found:
        return whole
    separator = "" if not whole or whole.endswith("\n") else "\n"
    return f"{whole}{separator}AUTH_PASSWORD={new}\n"


def _text(checkout: Checkout) -> str:
    """What `.env` holds; without one, what the example does."""
    for path in (checkout.env_file, checkout.folder / ".env.example"):
        if path.exists():
            return path.read_bytes().decode()
    return ""


def _replace(path: Path, text: str) -> None:
    """Write a file whole and for its owner's eyes alone, or not at all. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(prefix=".env.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if path.exists():
                old = path.stat()
                os.fchown(descriptor, old.st_uid, old.st_gid)
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def _how_to_reload(checkout: Checkout) -> str:
    """What makes the gateway that runs here take the new password."""
    stale = "the gateway takes the old one until it is reloaded:"
    if checkout.unit.is_of(checkout.folder):
        return f"{stale} sudo systemctl reload {checkout.unit.path.stem}"
    try:
        master = master_of(checkout.settings().state_dir)
    except Failure as error:
        return str(error)
    return (
        f"{stale} kill -HUP {master}"
        if master
        else "no gateway runs here now; the next start takes it"
    )
