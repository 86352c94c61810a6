"""The gateway's rights to its files, which a job can have removed.

Standard library alone, because the launcher and the supervisors import this.
"""

import errno
import os
import stat
from collections.abc import Callable
from typing import TypeVar

PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600

Result = TypeVar("Result")


def with_rights(path: str, act: Callable[[], Result]) -> Result:
    """Call `act`; after a PermissionError, restore the user's rights and call it again."""
    try:
        return act()
    except PermissionError:
        if not _restore_rights(path):
            raise
        return act()


def change_mode(path: str, mode: int) -> None:
    """Change the mode of a regular file, even of one that cannot be read. Raises OSError."""
    _change_mode(path, mode, stat.S_ISREG)


def change_mode_of_folder(path: str, mode: int) -> None:
    """Change the mode of a folder, even of one that cannot be read. Raises OSError."""
    _change_mode(path, mode, stat.S_ISDIR)


def _restore_rights(path: str) -> bool:
    """Restore the user's rights to a file and its folder; returns whether that may have helped."""
    try:
        _change_mode(os.path.dirname(path), PRIVATE_FOLDER, stat.S_ISDIR)
        mode = os.lstat(path).st_mode
        # The gateway makes files read-only itself.
        if stat.S_ISREG(mode) and not mode & stat.S_IRUSR:
            _change_mode(path, _PRIVATE_FILE, stat.S_ISREG)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _change_mode(path: str, mode: int, is_kind: Callable[[int], bool]) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not is_kind(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Neither a regular file nor a folder", path)
        # fchmod(2) does not work with O_PATH.
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)
