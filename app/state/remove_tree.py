"""The removal of a folder that a job has filled.

It follows no links, restores missing rights, opens at most two folders however deep the tree is,
and ends after a given time. Standard library alone: the supervisor imports this.
"""

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterator

# Entries between two looks at the clock, and how many may be stuck until the removal gives up.
_BATCH = 256
_MOST_STUCK = 1000

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: str, patience: float, pause: Callable[[], object] = lambda: None) -> bool:
    """Remove a folder and everything in it; returns whether nothing is left.

    Ends after `patience` seconds. `pause` is called between pieces of the work.
    """
    with contextlib.suppress(OSError):
        # As a rule, a job's folder for temporary files is empty.
        os.rmdir(path)
        return True
    deadline = time.monotonic() + patience
    with contextlib.closing(_remove(path)) as pieces:
        try:
            for _ in pieces:
                if time.monotonic() > deadline:
                    return False
                pause()
        except OSError:
            return False
    return not os.path.lexists(path)


def _remove(path: str) -> Generator[None, None, None]:
    """Remove a folder in pieces; yields after each. Raises OSError."""
    try:
        top = _open_folder(path)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        # The job has replaced the folder.
        os.unlink(path)
        return
    try:
        yield from _empty(top)
    finally:
        os.close(top)
    os.rmdir(path)


def _empty(top: int) -> Iterator[None]:
    """Remove everything in an open folder. Folders below are moved up into it, so none is deep."""
    stuck: set[str] = set()
    while True:
        os.lseek(top, 0, os.SEEK_SET)
        folders = []
        with os.scandir(top) as entries:
            for number, entry in enumerate(entries):
                if number % _BATCH == _BATCH - 1:
                    yield
                if entry.name in stuck:
                    continue
                try:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    else:
                        os.unlink(entry.name, dir_fd=top)
                except OSError:
                    stuck.add(entry.name)
                if len(folders) == _BATCH:
                    break
        if not folders:
            return
        for name in folders:
            try:
                yield from _dissolve(top, name)
            except OSError:
                stuck.add(name)
        if len(stuck) > _MOST_STUCK:
            return


def _dissolve(top: int, name: str) -> Iterator[None]:
    """Remove a folder in an open folder; the folders in it move to `top`. Raises OSError."""
    folder = _open_folder(name, top)
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number % _BATCH == _BATCH - 1:
                    yield
                if entry.is_dir(follow_symlinks=False):
                    # This makes it writable: otherwise it cannot be moved.
                    os.close(_open_folder(entry.name, folder))
                    new = os.urandom(8).hex()
                    os.rename(entry.name, new, src_dir_fd=folder, dst_dir_fd=top)
                else:
                    os.unlink(entry.name, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)
    yield


def _open_folder(name: str, within: int | None = None) -> int:
    """Open a folder of this user's, and make it writable.

    Raises OSError: NotADirectoryError for anything else, a link too.
    """
    handle = os.open(name, _FOLDER, dir_fd=within)
    try:
        found = os.fstat(handle)
        if within is None and found.st_uid != os.geteuid():
            raise PermissionError
        if found.st_mode & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    finally:
        os.close(handle)
