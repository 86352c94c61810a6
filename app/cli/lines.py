"""What a line of the CLI says: its session, and how its turn ended.

Pure but for reading the file it is given; standard library alone, because the supervisor
beside each job imports this. Shapes as seen in the CLI's versions 2.1.197 to 2.1.330; the
keys of a line come in any order.
"""

import json
import re
from typing import Any, BinaryIO, NamedTuple

# A line that may be a result. Inside a JSON string the quotes would be escaped, so this
# seldom matches anything else; what matches is parsed to make sure.
_RESULT = re.compile(rb'"type"\s*:\s*"result"')
_BLOCK = 1 << 18
_HEAD = 1 << 18


class Result(NamedTuple):
    """A `result` line: what it holds, and where it lies in the output, in bytes."""

    fields: dict[str, Any]
    offset: int
    length: int


def session_of(head: bytes) -> str | None:
    """The session that the first `system` line with one names, in the beginning of an output.

    >>> session_of(b'{"type":"system","session_id":"s1"}\\n{"type":"assis')
    's1'
    >>> session_of(b'{"type":"system","sess') is None
    True
    """
    for line in head.split(b"\n")[:-1]:
        fields = _parse(line)
        if fields.get("type") == "system" and isinstance(fields.get("session_id"), str):
            return str(fields["session_id"])
    return None


def read_session(output: BinaryIO) -> str | None:
    """`session_of` the beginning of an output file."""
    output.seek(0)
    return session_of(output.read(_HEAD))


def last_result(output: BinaryIO) -> Result | None:
    """The last `result` line of an output file, searched for from its end.

    Memory is bounded by one block and by the candidate line itself.
    """
    limit = output.seek(0, 2)
    while limit > 0:
        candidate = _last_match(output, limit)
        if candidate is None:
            return None
        start, end = _line_around(output, candidate)
        output.seek(start)
        fields = _parse(output.read(end - start))
        if fields.get("type") == "result":
            return Result(fields, start, end - start)
        limit = start
    return None


def _last_match(output: BinaryIO, limit: int) -> int | None:
    """Where the last place before `limit` that looks like a result's type begins."""
    overlap = 64
    end = limit
    while end > 0:
        start = max(0, end - _BLOCK)
        output.seek(start)
        # A place that straddles two blocks is found in the one that holds its beginning.
        block = output.read(min(end + overlap, limit) - start)
        for match in reversed(list(_RESULT.finditer(block))):
            return start + match.start()
        end = start
    return None


def _line_around(output: BinaryIO, position: int) -> tuple[int, int]:
    """The bounds of the line that holds `position`, without its newline."""
    start = position
    while start > 0:
        block_start = max(0, start - _BLOCK)
        output.seek(block_start)
        newline = output.read(start - block_start).rfind(b"\n")
        if newline >= 0:
            start = block_start + newline + 1
            break
        start = block_start
    end = position
    output.seek(position)
    while block := output.read(_BLOCK):
        newline = block.find(b"\n")
        if newline >= 0:
            return start, end + newline
        end += len(block)
    return start, end


def _parse(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
