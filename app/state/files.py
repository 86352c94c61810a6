"""Files below STATE_DIR, opened so that nothing that a job puts there can block the gateway.

Jobs run as the gateway's user, so a job can replace any of these files by a pipe, a link, a
folder, or a file of 300 GB. Every file there is opened by this module: without blocking, without
following a link in the last two parts of its path, and only if it is a regular file.

Standard library alone, because the launcher and the supervisors import this.
"""

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.state.file_rights import PRIVATE_FOLDER, change_mode_of_folder, with_rights

#: Bytes of the largest file that `read_file` reads by default.
LARGEST = 8 << 20

_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_file(path: str, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """A descriptor of a regular file; the caller closes it.

    `flags` and `mode` are those of open(2). If the user's rights to the file or its folder were
    removed, they are restored. Raises OSError: ELOOP for a link, EINVAL for anything else that is
    not a regular file.
    """
    return with_rights(path, lambda: _open(path, flags, mode))


def is_there(path: str) -> bool:
    """Whether there is anything at this path, even a broken link."""
    try:
        os.lstat(path)
    except OSError:
        return False
    return True


def is_folder(path: str) -> bool:
    """Whether this is a folder and not a link to one. Raises OSError if that is unknown."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_same(path: str, status: os.stat_result | None) -> bool:
    """Whether this is still the file that had this status, with the same mode."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return (
        status is not None and os.path.samestat(found, status) and found.st_mode == status.st_mode
    )


def read_file(path: str, limit: int = LARGEST) -> bytes:
    """The content of a regular file. Raises OSError: EFBIG for more than `limit` bytes."""
    descriptor = open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        if size > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def read_at(path: str, length: int, offset: int) -> bytes:
    """At most `length` bytes of a regular file; none outside of it. Raises OSError."""
    descriptor = open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        if not 0 <= offset < size or length <= 0:
            return b""
        return os.pread(descriptor, min(length, size - offset), offset)
    finally:
        os.close(descriptor)


def write_file(path: str, content: bytes) -> None:
    """Create a regular file with this content. Raises OSError: FileExistsError if it exists."""
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def replace_file(path: str, content: bytes) -> None:
    """Replace a file atomically: a reader sees the whole old file or the whole new one.

    Raises OSError, and leaves no temporary file then.
    """
    temporary = _temporary_name(path)
    try:
        write_file(temporary, content)
        replace(temporary, path)
    except OSError:
        discard(temporary)
        raise


def replace_in_place(path: str, content: bytes, used: str) -> None:
    """Replace a file by another one, `used`, whose content and space the new content takes.

    On a full disk that needs no room that others could take meanwhile. Raises OSError: ENOSPC if
    the content is longer than the space; `used` is damaged then.
    """
    descriptor = open_file(used, os.O_WRONLY)
    try:
        written = 0
        while written < len(content):
            written += os.write(descriptor, content[written:])
        os.ftruncate(descriptor, written)
    finally:
        os.close(descriptor)
    replace(used, path)


def read_link(path: str) -> str | None:
    """The text of a symbolic link, or None if there is none."""
    try:
        with _folder_of(path) as (folder, name):
            return os.readlink(name, dir_fd=folder)
    except OSError:
        return None


def make_link(path: str, text: str) -> None:
    """Create a symbolic link with this text.

    It needs no space on a full disk: as a rule, the text is in the inode. Raises OSError:
    FileExistsError if there is anything at this path.
    """

    def make() -> None:
        with _folder_of(path) as (folder, name):
            os.symlink(text, name, dir_fd=folder)

    with_rights(path, make)


def replace_link(path: str, text: str) -> None:
    """Replace anything at this path by a symbolic link with this text.

    Raises OSError.
    """
    with suppress(FileExistsError):
        make_link(path, text)
        return
    temporary = _temporary_name(path)
    make_link(temporary, text)
    try:
        replace(temporary, path)
    except OSError:
        discard(temporary)
        raise


def replace_by_link(path: str, source: str) -> None:
    """Replace a file by a hard link to another one, atomically. Raises OSError."""
    temporary = _temporary_name(path)
    os.link(source, temporary, follow_symlinks=False)
    try:
        replace(temporary, path)
    except OSError:
        discard(temporary)
        raise
    # A rename does nothing if both are links to the same file.
    discard(temporary)


def replace(source: str, path: str) -> None:
    """Rename a file of the same folder to this path, whatever is there. Raises OSError."""
    with _folder_of(path) as (folder, name):
        source = os.path.basename(source)
        try:
            os.replace(source, name, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError:
            try:
                os.rmdir(name, dir_fd=folder)
            except OSError:
                move_aside(path)
            os.replace(source, name, src_dir_fd=folder, dst_dir_fd=folder)


def move_aside(path: str) -> None:
    """Rename a file or folder to a new name in the same folder. Raises OSError."""
    with _folder_of(path) as (folder, name):
        aside = f"{name}.aside.{time.monotonic_ns()}"
        os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)


def make_folder(path: str) -> bool:
    """Ensure that this is a folder that its user can use; returns whether it was missing.

    Anything else at this path, a link too, is moved aside. Raises OSError.
    """
    try:
        os.mkdir(path, mode=PRIVATE_FOLDER)
        return True
    except FileExistsError:
        mode = os.lstat(path).st_mode
    if not stat.S_ISDIR(mode):
        move_aside(path)
        os.mkdir(path, mode=PRIVATE_FOLDER)
        return True
    if mode & PRIVATE_FOLDER != PRIVATE_FOLDER:
        change_mode_of_folder(path, PRIVATE_FOLDER)
    return False


def discard(path: str) -> None:
    """Remove a file if that is possible. A folder at this path is removed or moved aside."""
    with suppress(OSError), _folder_of(path) as (folder, name):
        try:
            os.unlink(name, dir_fd=folder)
        except IsADirectoryError:
            try:
                os.rmdir(name, dir_fd=folder)
            except OSError:
                move_aside(path)


def _temporary_name(path: str) -> str:
    """A name in the same folder that no job can have taken."""
    return f"{path}.{os.getpid()}.{time.monotonic_ns()}"


@contextmanager
def _folder_of(path: str) -> Iterator[tuple[int, str]]:
    """A descriptor of the path's folder, which must not be a link, and the name in it.

    Raises OSError.
    """
    folder, name = os.path.split(path)
    parent = os.open(folder or ".", _FOLDER)
    try:
        yield parent, name
    finally:
        os.close(parent)


def _open(path: str, flags: int, mode: int) -> int:
    with _folder_of(path) as (folder, name):
        descriptor = os.open(name, flags | _SAFE, mode, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", path)
    return descriptor
