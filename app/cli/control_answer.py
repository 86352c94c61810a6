"""The CLI's answer to a control request, found in its output. Pure."""

from typing import Any

from app.cli import control
from app.cli.lines import parse

#: Bytes of the longest line that is looked at.
LONGEST_LINE = 32 << 20


class AnswerFinder:
    r"""Finds the answer to one request in pieces of the output.

    >>> finder = AnswerFinder("r1")
    >>> finder.feed(b'{"type":"control_response","response":{"request_id":"r')
    >>> finder.feed(b'1","subtype":"success"}}\n{"type":')
    {'request_id': 'r1', 'subtype': 'success'}
    """

    def __init__(self, request_id: str) -> None:
        self._id = request_id
        self._needle = request_id.encode()
        # The beginning of the line that is not complete yet, unless it is too long.
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> dict[str, Any] | None:
        """The answer, if this piece completes it: its `subtype`, and `response` or `error`."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._add(line)
            answer = self._answer()
            self._pieces, self._size = [], 0
            if answer is not None:
                return answer
        self._add(rest)
        return None

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > LONGEST_LINE:
            self._pieces.clear()
        else:
            self._pieces.append(piece)

    def _answer(self) -> dict[str, Any] | None:
        line = b"".join(self._pieces)
        if self._needle not in line:
            return None
        fields = parse(line)
        answered = control.answered(fields) if fields.get("type") == "control_response" else None
        return answered[1] if answered is not None and answered[0] == self._id else None
