"""A file that holds one secret, as containers get theirs."""

import os
import stat
from pathlib import Path

#: Bytes of the largest secret.
LARGEST = 65_536


def read_secret(name: str) -> str:
    """The text of the file at this absolute path, without one newline at its end.

    Raises ValueError with what is wrong, never with a part of the text.
    """
    path = Path(name)
    if not path.is_absolute() or "\0" in name:
        raise ValueError(f"{name!r} is not an absolute path")
    try:
        # Opening a pipe without a writer would wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError(f"{name!r} is not a file")
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"cannot read {name!r}: {error.strerror}") from None
    if len(content) > LARGEST:
        raise ValueError(f"{name!r} has more than {LARGEST} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{name!r} is not UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise ValueError(f"{name!r} is empty")
    if "\0" in text:
        raise ValueError(f"{name!r} has a NUL character")
    return text
