"""The check of a job's working directory: `cwd` and CWD_ROOTS."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from app.errors import BadDirectory, DirectoryNotAllowed
from app.text import shortened

#: Characters of a path: the kernel's limit (PATH_MAX).
LONGEST_PATH = 4096


def check_working_directory(cwd: str, roots: Sequence[Path]) -> None:
    """Check that `cwd` is a usable directory below one of `roots`; no roots allow any directory.

    Raises BadDirectory and DirectoryNotAllowed.
    """
    # First, because splitting a path of a million parts takes seconds.
    if len(cwd) > LONGEST_PATH:
        raise BadDirectory(f"Path is longer than {LONGEST_PATH} characters: {shortened(cwd)}")
    path = Path(cwd)
    if not path.is_absolute():
        raise BadDirectory(f"Path is not absolute: {cwd}")
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise BadDirectory(f"Directory does not exist: {cwd}") from None
    except OSError as error:
        raise BadDirectory(f"Cannot access directory ({error.strerror}): {cwd}") from None
    if not stat.S_ISDIR(mode):
        raise BadDirectory(f"Path is not a directory: {cwd}")
    if not os.access(path, os.R_OK | os.X_OK):
        raise BadDirectory(f"The gateway's user has no permission for this directory: {cwd}")
    if roots and not any(path.resolve().is_relative_to(root) for root in roots):
        raise DirectoryNotAllowed(f"Directory is outside of CWD_ROOTS: {cwd}")
