"""A file of the CLI's settings that a request names, read so that settings can be added to it."""

import os
import stat

from app.errors import InvalidRequest

#: Bytes of the largest such file.
LARGEST = 1 << 20


def read_settings(value: str | None, cwd: str) -> str | None:
    """The text of a file of settings that is named by its path; any other value as it is.

    A path is relative to the job's folder, as it is to the CLI. What cannot be read stays a path:
    the CLI says what is wrong with it. Raises InvalidRequest for what would have to be waited
    for, or is too large.
    """
    if not value or value.lstrip().startswith("{"):
        return value
    try:
        descriptor = os.open(
            os.path.join(cwd, value),  # noqa: PTH118 - a path may hold anything
            os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC,
        )
    except (OSError, ValueError):
        return value
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            raise InvalidRequest.of(
                "settings_file",
                ("body", "settings"),
                f"This must be JSON, or the path of a file of at most {LARGEST} bytes",
            )
        text = os.read(descriptor, LARGEST).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return value
    finally:
        os.close(descriptor)
    return text if text.lstrip().startswith("{") else value
