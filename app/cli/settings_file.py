"""A file of CLI settings that a request names (`settings`), read so that settings can be added."""

import os
import stat

from app.errors import InvalidRequest

#: Bytes of the largest settings file.
LARGEST_FILE = 1 << 20


def inline_settings(settings: str | None, cwd: str) -> str | None:
    """The text of the settings file if `settings` is a path to one; any other value as it is.

    A path is relative to the job's working directory, as it is for the CLI. A file that cannot be
    read stays a path: the CLI reports what is wrong with it. Raises InvalidRequest for a file that
    is too large or not a regular file.
    """
    if not settings or settings.lstrip().startswith("{"):
        return settings
    try:
        descriptor = os.open(
            os.path.join(cwd, settings),  # noqa: PTH118 - a path may hold anything
            os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC,
        )
    except (OSError, ValueError):
        return settings
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
            raise InvalidRequest.of(
                "settings_file",
                ("body", "settings"),
                f"Must be JSON, or the path of a regular file of at most {LARGEST_FILE} bytes",
            )
        text = os.read(descriptor, LARGEST_FILE).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return settings
    finally:
        os.close(descriptor)
    return text if text.lstrip().startswith("{") else settings
