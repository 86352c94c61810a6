"""Folders opened by their path without following a link in any part of it.

A job can replace a folder by a link at any moment, so a path is not checked first and opened then:
each part is opened in the folder before it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_PART = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def folder_at(path: str) -> Iterator[int]:
    """A descriptor of the folder at an absolute path without links.

    Raises OSError: ENOTDIR for a link, ELOOP for one at the end. Raises ValueError for a NUL.
    """
    *above, last = [part for part in path.split("/") if part] or ["."]
    at = os.open("/", _PART)
    try:
        for part in above:
            at = _step(at, part, _PART)
        at = _step(at, last, _FOLDER)
        yield at
    finally:
        os.close(at)


@contextmanager
def folder_in(folder: int, name: str) -> Iterator[int]:
    """A descriptor of a folder in an open folder. Raises OSError, for a link too."""
    found = os.open(name, _FOLDER, dir_fd=folder)
    try:
        yield found
    finally:
        os.close(found)


def _step(folder: int, name: str, flags: int) -> int:
    """The folder with this name in `folder`, which is closed unless an error is raised."""
    found = os.open(name, flags, dir_fd=folder)
    os.close(folder)
    return found
