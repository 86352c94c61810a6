"""The names of this machine's users."""

import os
import pwd
from pathlib import Path


def owner_of(path: Path) -> str:
    """The name of a file's owner, or its number if it has no name."""
    return _name_of(path.stat().st_uid)


def own_name() -> str:
    """The name of the user that runs this process."""
    return _name_of(os.geteuid())


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
