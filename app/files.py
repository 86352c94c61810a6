"""Files below STATE_DIR, opened so that nothing a job put there can hold the gateway up.

Jobs run as the gateway's user, so a job can replace any of these files by a pipe, a link, a
folder, or a file of 300 GB. Every file there is opened through this module: without blocking,
without following a link in its last two parts, and only if it is a regular file.

Standard library alone, because the launcher and the supervisors import this.
"""

import errno
import os
import stat

#: Bytes of the largest file that is read whole.
LARGEST = 8 << 20

_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_file(path: str, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """A descriptor of a regular file; the caller closes it.

    `flags` and `mode` are those of open(2). Raises OSError: ELOOP for a link, EINVAL for
    anything else that is not a regular file.
    """
    folder, name = os.path.split(path)
    parent = os.open(folder or ".", _FOLDER)
    try:
        descriptor = os.open(name, flags | _SAFE, mode, dir_fd=parent)
    finally:
        os.close(parent)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", path)
    return descriptor


def read_file(path: str, limit: int = LARGEST) -> bytes:
    """What a regular file holds. Raises OSError, EFBIG for more than `limit` bytes."""
    descriptor = open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        if size > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def read_at(path: str, length: int, offset: int) -> bytes:
    """So many bytes of a regular file, fewer at its end. Raises OSError."""
    descriptor = open_file(path)
    try:
        return os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)


def write_file(path: str, content: bytes) -> None:
    """Write a regular file, in place of what it held. Raises OSError."""
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def replace_file(path: str, content: bytes) -> None:
    """Put a new file in the place of `path`: a reader sees the old one whole or the new one.

    Raises OSError; no temporary file is left then.
    """
    temporary = f"{path}.{os.getpid()}"
    try:
        write_file(temporary, content)
        os.replace(temporary, path)  # noqa: PTH105 - paths are plain strings here
    except OSError:
        discard(temporary)
        raise


def change_mode(path: str, mode: int) -> None:
    """Change the mode of a regular file that may not even be readable. Raises OSError."""
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", path)
        os.chmod(f"/proc/self/fd/{descriptor}", mode)  # noqa: PTH101
    finally:
        os.close(descriptor)


def discard(path: str) -> None:
    """Remove a file, if it is there and can be removed."""
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return
