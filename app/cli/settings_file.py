"""A file of CLI settings that a request names (`settings`), read so that settings can be added."""

import os
import stat

from app.cli.job_settings import is_json
from app.errors import InvalidRequest

#: Bytes of the largest settings file.
LARGEST_FILE = 1 << 20


def inline_settings(settings: str | None, cwd: str) -> str | None:
    """The text of the settings file if `settings` is a path to one; any other value as it is.

    A path is relative to the job's working directory, as it is for the CLI. A file that cannot be
    read stays a path: the CLI reports what is wrong with it. Raises InvalidRequest for any other
    file that is not usable: the CLI would run without these settings.
    """
    if not settings or is_json(settings):
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
            raise _unusable(f"a regular file of at most {LARGEST_FILE} bytes")
        text = os.read(descriptor, LARGEST_FILE).decode("utf-8-sig")
    except OSError:
        return settings
    except UnicodeDecodeError:
        raise _unusable("a file in UTF-8") from None
    finally:
        os.close(descriptor)
    if not is_json(text):
        raise _unusable("a file with a JSON object")
    return text


def _unusable(what: str) -> InvalidRequest:
    return InvalidRequest.of(
        "settings_file", ("body", "settings"), f"Must be JSON, or the path of {what}"
    )
