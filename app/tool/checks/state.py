"""Checks of STATE_DIR: whether it can be written to, and has space."""

import os
from collections.abc import Iterator
from pathlib import Path

from app.jobs.store import Spool
from app.settings import Settings
from app.tool.check import Check, failed, ok
from app.tool.local_users import own_name


def check(settings: Settings) -> Iterator[Check]:
    """The folder, and the space on its disk."""
    state = settings.state_dir
    place = _existing(state)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        fix = f"sudo chown -R {own_name()} {place}, or set another STATE_DIR"
        yield failed("state folder", f"cannot write to {place}", fix)
    elif place == state:
        yield ok("state folder", f"{state} can be written to")
    else:
        yield ok("state folder", f"{state} does not exist yet, but can be made")
    free = Spool(place).free()
    detail = f"{_size(free)} free on the disk of {place}"
    if free < settings.min_free_disk:
        fix = "free some space, or lower MIN_FREE_DISK; ended jobs are kept for JOB_RETENTION"
        least = _size(settings.min_free_disk)
        yield failed("disk", f"{detail}: no job starts with less than {least}", fix)
    else:
        yield ok("disk", detail)


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    while not os.path.lexists(path):
        path = path.parent
    return path


def _size(count: int) -> str:
    """Bytes in a larger unit.

    >>> _size(268435456), _size(3 << 40)
    ('256 MiB', '3072 GiB')
    """
    return f"{count >> 20} MiB" if count < 1 << 30 else f"{count >> 30} GiB"
