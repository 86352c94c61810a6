"""The chain of messages in a transcript of the CLI: each names the one before it. Pure.

As in the versions 2.1.197 to 2.1.330. Lines without a `uuid` are no messages, and neither are
attachments, with which the CLI adds something to a message by itself. A session can be resumed at
an answer only as long as its last message leads back to it: not after the session has been
compacted, or resumed at an earlier answer.
"""

from collections.abc import Iterable
from typing import NamedTuple

from app.cli.lines import parse


class Answer(NamedTuple):
    """An answer of the model: its `uuid`, and the offset of its line in bytes."""

    id: str
    at: int


def last_answer(lines: bytes) -> Answer | None:
    """The answer at the end of a transcript's last lines; None if the last message is another one.

    >>> last_answer(b'{"type":"assistant","uuid":"a"}\\n{"type":"mode"}\\n')
    Answer(id='a', at=0)
    """
    end = len(lines)
    while end > 0:
        begin = lines.rfind(b"\n", 0, end - 1) + 1
        fields = parse(lines[begin:end])
        end = begin
        if is_message(fields) and fields.get("isSidechain") is not True:
            is_answer = fields.get("type") == "assistant"
            return Answer(str(fields["uuid"]), begin) if is_answer else None
    return None


def leads_back(lines: Iterable[bytes], answer: str) -> bool:
    """Whether the last of these lines lead back to the answer, which the first of them has."""
    chain: set[str] = set()
    is_in_chain = False
    for line in lines:
        fields = parse(line) if b'"uuid"' in line else {}
        if "uuid" not in fields or fields.get("isSidechain") is True:
            continue
        found = str(fields["uuid"])
        if not chain and found != answer:
            return False
        is_in_chain = not chain or str(fields.get("parentUuid")) in chain
        if is_in_chain:
            chain.add(found)
    return is_in_chain


def is_message(fields: dict[str, object]) -> bool:
    """Whether a line is a message."""
    return "uuid" in fields and fields.get("type") != "attachment"
