"""Users of this machine, by name."""

import os
import pwd
from pathlib import Path


def owner_of(path: Path) -> str:
    """The name of the user that a file belongs to, or the number of one without a name."""
    return name_of(path.stat().st_uid)


def own_name() -> str:
    """The name of the user that we run as."""
    return name_of(os.geteuid())


def name_of(number: int) -> str:
    """The name of a user, or the number itself."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
