"""Changing one setting in `.env`."""

import io
import os
import re
import tempfile
from pathlib import Path

from dotenv.parser import parse_stream

from app.env_file import read_env_file
from app.errors import ConfigurationError
from app.server.gateway_lock import master_pid
from app.tool.checkout import Checkout
from app.tool.failure import UNCONFIGURED, Failure
from app.tool.remedies import Remedies

# Values that need no quotes (python-dotenv).
_PLAIN = re.compile(r"[\w.,:~+/=@%^-]*", re.ASCII)


def change_setting(checkout: Checkout, name: str, value: str) -> Path:
    """Write a setting to `.env`, atomically; returns the path of the file.

    Without a `.env`, one is made from `.env.example`. Raises Failure.
    """
    path = checkout.env_file.resolve()
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise Failure(f"cannot change {path}: {checkout.access_help()}", UNCONFIGURED)
    try:
        # Lines that cannot be read could not be kept.
        read_env_file(path)
        if checkout.is_package:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, with_setting(_text(checkout), name, value))
    except ConfigurationError as error:
        raise Failure(str(error), UNCONFIGURED) from None
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from None
    return path


def with_setting(text: str, name: str, value: str) -> str:
    r"""The text of `.env` with a new value of one setting; every other line stays as it is.

    >>> with_setting("A=1\nAUTH_PASSWORD='old' # mine\nB=2\n", "AUTH_PASSWORD", "new")
    'A=1\nAUTH_PASSWORD=new\nB=2\n'
    >>> with_setting("A=1", "API_KEYS", "a b")
    "A=1\nAPI_KEYS='a b'\n"
    """
    line = f"{name}={_quoted(value)}"
    parts = []
    found = False
    for binding in parse_stream(io.StringIO(text, newline="")):
        string = binding.original.string
        if binding.key == name:
            found = True
            # The parser counts the blank lines before it as part of it.
            before = string[: len(string) - len(string.lstrip("\r\n"))]
            after = string[len(string.rstrip("\r\n")) :] or "\n"
            string = f"{before}{line}{after}"
        parts.append(string)
    changed = "".join(parts)
    if found:
        return changed
    separator = "" if not changed or changed.endswith("\n") else "\n"
    return f"{changed}{separator}{line}\n"


def how_to_reload(checkout: Checkout) -> str:
    """The command by which the gateway that runs here reads its settings again."""
    remedies = Remedies(checkout)
    if not remedies.is_service:
        try:
            if not master_pid(str(checkout.settings().state_dir)):
                return "no gateway runs here now; this takes effect at its next start"
        except Failure as error:
            return str(error)
    return f"this takes effect when the gateway is reloaded: {remedies.reload}"


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _text(checkout: Checkout) -> str:
    """The text of `.env`, or of the example if there is none."""
    for path in (checkout.env_file, checkout.folder / ".env.example"):
        if path.exists():
            return path.read_bytes().decode()
    return ""


def _replace(path: Path, text: str) -> None:
    """Write a file atomically, unreadable for other users. Raises OSError."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".env.", dir=path.parent)
    except PermissionError:
        if not path.exists():
            raise
        # The folder belongs to root, the file to this user.
        _overwrite(path, text)
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            if path.exists():
                old = path.stat()
                os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, _private(old.st_mode))
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def _overwrite(path: Path, text: str) -> None:
    """Write a file in place, unreadable for other users. Raises OSError."""
    with path.open("r+b") as file:
        os.fchmod(file.fileno(), _private(path.stat().st_mode))
        file.write(text.encode())
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _private(mode: int) -> int:
    """The mode for the owner only; and for the group, if it has access and other users have not.

    >>> [oct(_private(mode)) for mode in (0o644, 0o640, 0o600)]
    ['0o600', '0o640', '0o600']
    """
    return 0o600 if mode & 0o007 else mode & 0o060 | 0o600
