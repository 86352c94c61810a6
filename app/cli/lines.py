"""The lines that the CLI prints: the session, the `result`, why a hook stopped the prompt.

Reads nothing but the open file it is given. Standard library only, because the supervisors import
this. Lines are as in the CLI's versions 2.1.197 to 2.1.330; their keys come in any order.
"""

import json
import math
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from app.json_depth import is_deep

# Part of a line that may be a result. Inside a JSON string the quotes would be escaped, so other
# lines seldom match; those that do are parsed to make sure.
_RESULT = re.compile(rb'"type"\s*:\s*"result"')
_BLOCK = 1 << 18
# Bytes read first on either side of a position, to find the line's bounds.
_PIECE = 1 << 12
# A match that lies across two blocks is found in the block with its beginning.
_OVERLAP = 64
# A result may follow a warning on the same line. So many braces are tried as its beginning.
_MOST_BRACES = 16
# The deepest nesting of a field. It is sent as JSON in JSON, and some parsers accept 128 levels.
_DEEPEST = 100
# What the CLI adds to a hook's message.
_BLOCKED = ("UserPromptSubmit operation blocked by hook:", "Operation stopped by hook:")
_PROMPT = "\n\nOriginal prompt:"


class Result(NamedTuple):
    """A `result` line: its object, and its position and length in the output, in bytes."""

    fields: dict[str, Any]
    offset: int
    length: int


def session_of(head: bytes) -> str | None:
    """The session id in the first `system` line that has one, given the beginning of an output.

    >>> session_of(b'{"type":"system","session_id":"s1"}\\n{"type":"assis')
    's1'
    >>> session_of(b'{"type":"system","sess') is None
    True
    """
    for line in head.split(b"\n")[:-1]:
        if b'"session_id"' in line:
            fields = parse(line)
            if fields.get("type") == "system" and isinstance(fields.get("session_id"), str):
                return str(fields["session_id"])
    return None


def read_session(output: int, start: int = 0) -> str | None:
    """The session id in the lines of an open output that follow this position."""
    return session_of(os.pread(output, _BLOCK, start))


def last_result(output: int, first: int = 0, size: int | None = None) -> Result | None:
    """The last `result` line of an open output, or of its part from `first` to `size`, in bytes.

    It is searched from the end, which takes linear time, and memory for one block and one line.
    """
    end = limit = os.fstat(output).st_size if size is None else size
    while end > first:
        begin = max(first, end - _BLOCK)
        block = os.pread(output, min(end + _OVERLAP, limit) - begin, begin)
        for match in reversed(list(_RESULT.finditer(block))):
            position = begin + match.start()
            if position >= limit:
                # In a line that was parsed before.
                continue
            start, stop = _line_around(output, position, first)
            fields = parse_result(os.pread(output, stop - start, start))
            if fields:
                return Result(fields, start, stop - start)
            limit = start
        end = min(begin, limit)
    return None


def _line_around(output: int, position: int, first: int) -> tuple[int, int]:
    """The start (at least `first`) and end of the line at `position`, without its newline."""
    start, size = position, _PIECE
    while start > first:
        begin = max(first, start - size)
        newline = os.pread(output, start - begin, begin).rfind(b"\n")
        if newline >= 0:
            start = begin + newline + 1
            break
        start, size = begin, size * 2
    stop, size = position, _PIECE
    while piece := os.pread(output, size, stop):
        newline = piece.find(b"\n")
        if newline >= 0:
            return start, stop + newline
        stop, size = stop + len(piece), size * 2
    return start, stop


def stopped_by_hook(output: int, result: Result) -> str | None:
    """Why a hook stopped the prompt before the model received it; None if no hook did.

    The `result` line alone looks like a success; the reason is in a line before it.
    """
    if result.fields.get("num_turns") != 0 or result.fields.get("is_error") is not False:
        return None
    begin = max(0, result.offset - _BLOCK)
    for line in reversed(os.pread(output, result.offset - begin, begin).split(b"\n")):
        if b'"prevent_continuation"' in line:
            fields = parse(line)
            if fields.get("subtype") == "informational" and fields["prevent_continuation"] is True:
                return _hook_message(fields)
    return None


def _hook_message(fields: Mapping[str, Any]) -> str:
    outcome = fields.get("prompt_submit_outcome")
    reason = outcome.get("reason") if isinstance(outcome, dict) else None
    if isinstance(reason, str) and reason.strip():
        return reason
    # Before 2.1.330, the reason is part of one text that ends with the prompt.
    text = str(fields.get("content")).partition(_PROMPT)[0]
    for beginning in _BLOCKED:
        text = text.removeprefix(beginning)
    return text.strip() or "A hook stopped the prompt"


def parse_result(line: bytes) -> dict[str, Any]:
    r"""The `result` object in a line; {} if there is none.

    Text that is not JSON may come before or after it on the same line.

    >>> parse_result(b'Warning: {x} {"type":"result","is_error":true}')
    {'type': 'result', 'is_error': True}
    >>> parse_result(b'{"type":"user"}')
    {}
    """
    text = line.decode(errors="replace")
    try:
        return _if_result(_DECODER.decode(text))
    except (ValueError, RecursionError):
        at = -1
    for _ in range(_MOST_BRACES):
        at = text.find("{", at + 1)
        if at < 0:
            break
        try:
            found = _if_result(_DECODER.raw_decode(text, at)[0])
        except (ValueError, RecursionError):
            continue
        if found:
            return found
    return {}


def _if_result(value: object) -> dict[str, Any]:
    fields = _shallow(value)
    return fields if fields.get("type") == "result" else {}


def parse(line: bytes) -> dict[str, Any]:
    """The object in a line; {} if there is none.

    A byte that is not UTF-8, a number that JSON cannot represent, or a field that is nested too
    deeply does not affect the rest.
    """
    try:
        fields = _DECODER.decode(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return {}
    return _shallow(fields)


def as_object(value: object) -> dict[str, Any]:
    """The value if it is an object, else {}; the CLI may write anything."""
    return value if isinstance(value, dict) else {}


def _shallow(value: object) -> dict[str, Any]:
    """An object without the fields that are nested too deeply; {} for anything else."""
    if not isinstance(value, dict):
        return {}
    return {name: below for name, below in value.items() if not is_deep(below, _DEEPEST)}


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _moderate(text: str) -> int | None:
    return int(text) if len(text) < 400 else None


_DECODER = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite, parse_int=_moderate)
