"""The file STATE_DIR/capabilities.json: what the installed CLI can do, for all processes."""

from typing import NamedTuple

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
