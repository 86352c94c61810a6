"""The layout of STATE_DIR, by its number in the code or in the folder.

A gateway reads and writes one layout. Version 1.0 of the gateway wrote no number: its layout is 1.
"""

import ast
import os
from pathlib import Path

from app.errors import ConfigurationError
from app.state import files

#: The layout that this code reads and writes.
LAYOUT = 2
#: The layout of folders without a number.
FIRST = 1

_RESTART = (
    "the running gateway keeps STATE_DIR in layout {}, and the new code in layout {}: restart the"
    " gateway instead (systemctl restart claudecode2api)"
)
# Digits of the longest number that is valid.
_LONGEST = 9


def layout_of(state: str) -> int:
    """The layout of a state folder; LAYOUT if it has no jobs yet. Raises OSError."""
    try:
        text = files.read_file(f"{state}/version", 64).strip()
    except FileNotFoundError:
        return FIRST if _has_jobs(state) else LAYOUT
    except OSError:
        # A job has replaced the file.
        return FIRST
    return int(text) if text.isdigit() and len(text) <= _LONGEST else FIRST


def check_layout(state: str, is_used: bool) -> None:
    """Check that this code may use a state folder.

    `is_used` means that a gateway uses it now. A reload needs the same layout; a start can upgrade
    an older one (`app.jobs.upgrade`). Raises ConfigurationError, OSError.
    """
    found = layout_of(state)
    if found > LAYOUT:
        raise ConfigurationError(
            f"cannot use STATE_DIR: {state} was written by a newer version of the gateway (layout"
            f" {found}, and this version knows {LAYOUT}); use that version, or another STATE_DIR"
        )
    if found != LAYOUT and is_used:
        raise ConfigurationError(_RESTART.format(found, LAYOUT))


def reload_refusal(checkout: Path) -> str | None:
    """Why this process must not reload the code of a checkout; None if it may.

    Raises OSError, SyntaxError.
    """
    layout = layout_in(checkout)
    return None if layout == LAYOUT else _RESTART.format(LAYOUT, layout)


def write_layout(state: str) -> None:
    """Write LAYOUT into the folder's `version`. Raises OSError."""
    path = f"{state}/version"
    if files.read_link(path) is not None or not _has_number(path, LAYOUT):
        files.replace_file(path, f"{LAYOUT}\n".encode())


def layout_in(checkout: Path) -> int:
    """The layout that the code in a checkout reads and writes.

    The code is parsed and not run. Raises OSError, SyntaxError.
    """
    try:
        text = (checkout / "app/state/version.py").read_text(encoding="utf-8")
    except FileNotFoundError:
        return FIRST
    for statement in ast.parse(text).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="LAYOUT")], value=ast.Constant(value=int(number))):
                return number
    return FIRST


def _has_number(path: str, number: int) -> bool:
    try:
        return files.read_file(path, 64) == f"{number}\n".encode()
    except OSError:
        return False


def _has_jobs(state: str) -> bool:
    try:
        with os.scandir(f"{state}/jobs") as jobs:
            return any(True for _ in jobs)
    except (FileNotFoundError, NotADirectoryError):
        return False
