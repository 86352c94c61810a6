"""The stamps of the files that a command line of the CLI names, by which a change shows.

The CLI reads them at its start. A process that stays, or was started ahead, may serve a job only if
they are still as they were. Standard library alone, because the supervisor imports this.
"""

import os
from collections.abc import Iterator, Sequence

from app.records.job_id import new_uuid

#: Files and folders of one plugin. Of a larger one, each stamp is another.
MOST_FILES = 1000
_FLAGS = ("--mcp-config=", "--plugin-dir=", "--settings=")


def stamps_of(arguments: Sequence[object], cwd: str) -> list[str]:
    """The stamp of each file or folder that these arguments name; paths are relative to `cwd`."""
    stamps = []
    for argument in arguments:
        if isinstance(argument, str) and argument.startswith(_FLAGS):
            path = argument.partition("=")[2]
            if not path.startswith("{"):
                stamps.append(_stamp(os.path.join(cwd, path)))
    return stamps


def _stamp(path: str) -> str:
    """A text that is another one after each change of a file, or of anything in a folder."""
    count = sizes = inodes = times = 0
    for each in _files(path):
        count += 1
        if count > MOST_FILES:
            return new_uuid()
        try:
            status = os.stat(each)
        except OSError:
            continue
        sizes += status.st_size
        inodes += status.st_ino
        # No program can set it, unlike the time of modification.
        times += status.st_ctime_ns
    return f"{count} {sizes} {inodes} {times}"


def _files(path: str) -> Iterator[str]:
    yield path
    for folder, folders, names in os.walk(path):
        yield from (f"{folder}/{name}" for name in (*folders, *names))
