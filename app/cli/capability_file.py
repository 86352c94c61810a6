"""The files STATE_DIR/capabilities.*: what the installed CLI can do, for all processes."""

import time
from typing import NamedTuple

from app.processes import Process
from app.state.record_file import read_as, write_record


class Binary(NamedTuple):
    """A binary, as long as it is not replaced, and its version: a wrapper may start another CLI.

    `device` to `size` are the file's.
    """

    path: str
    device: int
    inode: int
    modified_ns: int
    size: int
    version: str


class _Record(NamedTuple):
    """What was found out about a binary, by a probe that looked for what is in `looked_for`."""

    binary: Binary
    looked_for: list[str]
    found: list[str]


class _Failure(NamedTuple):
    """A probe that has failed, `at` this time (Unix); `master` started the gateway."""

    binary: Binary
    master: Process
    environment: int
    at: float


def path_of(state: str) -> str:
    """The path of the file."""
    return f"{state}/capabilities.json"


def read_capabilities(
    state: str, binary: Binary, looked_for: frozenset[str]
) -> frozenset[str] | None:
    """The capabilities of a binary; None if they are not known."""
    record = read_as(_Record, path_of(state))
    if record is None or record.binary != binary or set(record.looked_for) != looked_for:
        return None
    return looked_for & set(record.found)


def write_capabilities(
    state: str, binary: Binary, looked_for: frozenset[str], found: frozenset[str]
) -> None:
    """Replace the file. Raises OSError."""
    record = {"binary": binary._asdict(), "looked_for": sorted(looked_for), "found": sorted(found)}
    write_record(path_of(state), record)


def note_failure(state: str, binary: Binary, master: Process, environment: int) -> None:
    """Note that a probe of this binary, with such an environment, has failed. Raises OSError."""
    failure = _Failure(binary, master, environment, time.time())
    record = {**failure._asdict(), "binary": binary._asdict()}
    write_record(f"{state}/capabilities.failed", record)


def has_failed(
    state: str, binary: Binary, master: Process, environment: int, within: float
) -> bool:
    """Whether the same probe has failed within so many seconds, in any worker of this gateway."""
    failure = read_as(_Failure, f"{state}/capabilities.failed")
    if failure is None or failure[:3] != (binary, master, environment):
        return False
    return 0 <= time.time() - failure.at < within
