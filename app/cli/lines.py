"""What a line of the CLI says: its session, and how its turn ended.

Pure but for reading the open file it is given; standard library alone, because the
supervisor beside each job imports this. Shapes as seen in the CLI's versions 2.1.197 to
2.1.330; the keys of a line come in any order.
"""

import json
import os
import re
from typing import Any, NamedTuple

# A line that may be a result. Inside a JSON string the quotes would be escaped, so this
# seldom matches anything else; what matches is parsed to make sure.
_RESULT = re.compile(rb'"type"\s*:\s*"result"')
_BLOCK = 1 << 18
# A place that straddles two blocks is found in the one that holds its beginning.
_OVERLAP = 64


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
        if b'"session_id"' in line:
            fields = _parse(line)
            if fields.get("type") == "system" and isinstance(fields.get("session_id"), str):
                return str(fields["session_id"])
    return None


def read_session(output: int) -> str | None:
    """`session_of` the beginning of an open output."""
    return session_of(os.pread(output, _BLOCK, 0))


def last_result(output: int) -> Result | None:
    """The last `result` line of an open output, searched for from its end.

    Memory is bounded by one block and by the candidate line itself.
    """
    limit = os.fstat(output).st_size
    while limit > 0:
        candidate = _last_match(output, limit)
        if candidate is None:
            return None
        start, end = _line_around(output, candidate)
        fields = _parse(os.pread(output, end - start, start))
        if fields.get("type") == "result":
            return Result(fields, start, end - start)
        limit = start
    return None


def _last_match(output: int, limit: int) -> int | None:
    """Where the last place before `limit` that looks like a result's type begins."""
    end = limit
    while end > 0:
        start = max(0, end - _BLOCK)
        block = os.pread(output, min(end + _OVERLAP, limit) - start, start)
        found = [match.start() for match in _RESULT.finditer(block)]
        if found:
            return start + found[-1]
        end = start
    return None


def _line_around(output: int, position: int) -> tuple[int, int]:
    """The bounds of the line that holds `position`, without its newline."""
    start = position
    while start > 0:
        block_start = max(0, start - _BLOCK)
        newline = os.pread(output, start - block_start, block_start).rfind(b"\n")
        if newline >= 0:
            start = block_start + newline + 1
            break
        start = block_start
    end = position
    while block := os.pread(output, _BLOCK, end):
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
