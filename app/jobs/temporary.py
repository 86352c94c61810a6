"""A job's own folder for temporary files: made before its CLI starts, gone when the job has ended.

The CLI keeps sockets and the output of its tasks there, so jobs that share a folder see each
other, and what they leave grows without bound. The path is short, because the path of a Unix
socket ends at 108 bytes (unix(7)).

The folder is the job's to fill, so removing it follows no link, needs no right that its owner
lacks, opens two folders at most however deep it is, and ends when its time is over. What is
left then is removed by `sweep`. Standard library alone: the supervisor imports this.
"""

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping

#: A link in the job's directory, to its folder for temporary files.
RECORD = "temporary"
#: Variables of the CLI's environment that name the folder; an operator's own say where to make it.
VARIABLES = (b"CLAUDE_CODE_TMPDIR", b"TMPDIR")
#: Seconds that `sweep` spends on one job's folder.
SWEEP_PATIENCE = 600.0

_PREFIX = "cc2-"
_DIGITS = 12
# Bytes of the folder in which it is made.
_LONGEST_BASE = 60
# Entries between two looks at the clock, and entries that may be stuck before it is given up.
_BATCH = 256
_MOST_STUCK = 1000

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make(job: str, environment: Mapping[bytes, bytes]) -> str:
    """The path of a new folder for the job with this directory.

    It is made where `environment` says, else in /tmp, else in /var/tmp. Raises OSError.
    """
    problem = OSError()
    for base in _bases(environment):
        path = f"{base}/{_PREFIX}{os.urandom(_DIGITS // 2).hex()}"
        record = f"{job}/{RECORD}"
        # First, so that a crash leaves no folder without a record.
        with contextlib.suppress(OSError):
            os.symlink(path, record)
        try:
            os.mkdir(path, 0o700)
        except OSError as error:
            problem = error
            with contextlib.suppress(OSError):
                os.unlink(record)
        else:
            return path
    raise problem


def remove(path: str, patience: float, pause: Callable[[], object] = lambda: None) -> bool:
    """Remove a job's folder with all in it; whether nothing is left.

    Ends after `patience` seconds. `pause` is called between pieces of the work.
    """
    with contextlib.suppress(OSError):
        # As a rule of jobs that wrote no file there.
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


def remove_of(job: str, patience: float, pause: Callable[[], object] = lambda: None) -> bool:
    """Remove the folder of the job with this directory, if it has one; whether none is left."""
    record = f"{job}/{RECORD}"
    try:
        path = os.readlink(record)
    except OSError:
        return True
    # The job can have changed the record.
    if _is_one(path) and not remove(path, patience, pause):
        return False
    with contextlib.suppress(OSError):
        os.unlink(record)
    return True


def sweep(state: str) -> None:
    """Remove the folders of all jobs that have ended, for as long as our parent lives."""
    parent = os.getppid()

    def check() -> None:
        if os.getppid() != parent:
            raise InterruptedError

    for job_id in os.listdir(f"{state}/jobs"):
        if os.path.lexists(f"{state}/jobs/{job_id}/ended"):
            remove_of(f"{state}/jobs/{job_id}", SWEEP_PATIENCE, check)


def _bases(environment: Mapping[bytes, bytes]) -> Iterator[str]:
    for name in VARIABLES:
        base = os.fsdecode(environment.get(name, b"")).rstrip("/")
        if base.startswith("/") and len(os.fsencode(base)) <= _LONGEST_BASE:
            yield base
    yield from ("/tmp", "/var/tmp")  # noqa: S108 - the name in it is random


def _is_one(path: str) -> bool:
    """Whether a path is one that `make` returns.

    >>> _is_one("/tmp/cc2-0123456789ab"), _is_one("/tmp/cc2-0123456789ab/.."), _is_one("/tmp")
    (True, False, False)
    """
    folder, name = os.path.split(path)
    digits = name.removeprefix(_PREFIX)
    return (
        folder.startswith("/")
        and len(digits) == _DIGITS != len(name)
        and not digits.strip("0123456789abcdef")
    )


def _remove(path: str) -> Generator[None, None, None]:
    """Remove a folder in pieces, after each of which it yields. Raises OSError."""
    try:
        top = _open_folder(path)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        # The job has put something else in its place.
        os.unlink(path)
        return
    try:
        yield from _empty(top)
    finally:
        os.close(top)
    os.rmdir(path)


def _empty(top: int) -> Iterator[None]:
    """Remove all in an open folder. A folder in it is emptied into it, so none is ever deep."""
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
    """Remove a folder in an open one, which gets the folders in it. Raises OSError."""
    folder = _open_folder(name, top)
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number % _BATCH == _BATCH - 1:
                    yield
                if entry.is_dir(follow_symlinks=False):
                    # A folder that cannot be written to cannot be moved.
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
    """A folder of ours, opened and made ours to change, whatever its mode is.

    Raises NotADirectoryError for anything else, a link included, and OSError.
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
