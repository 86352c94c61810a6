"""The CLI's answer to a control request, in an output that comes in pieces."""

import json
import random

import pytest

from app.cli import control_answer
from app.cli.control_answer import AnswerFinder

ID = "4b0a3f0e-5a56-4d21-9d08-6b1f6a3a3f51"
OTHER = "0d7ed2c9-8e1f-4a58-b1c9-9a9a7d9f0c11"


def response(request_id: str, value: object) -> bytes:
    """A line that answers a request."""
    answer = {"subtype": "success", "request_id": request_id, "response": value}
    return json.dumps({"type": "control_response", "response": answer}).encode()


LINES = [
    b"",
    b"not JSON",
    json.dumps({"type": "assistant", "message": {"content": response(ID, 1).decode()}}).encode(),
    json.dumps({"type": "control_request", "request_id": ID}).encode(),
    json.dumps({"type": "control_response", "response": [ID]}).encode(),
    response(OTHER, ID),
    b"x" * 5000,
    response(ID, {"text": "a\u2028b" * 1000}),
    response(ID, "a second one"),
]


@pytest.mark.parametrize("seed", range(20))
def test_the_answer_is_found_however_the_output_is_cut(seed: int) -> None:
    output = b"\n".join(LINES) + b"\n"
    numbers = random.Random(seed)  # noqa: S311 - not a secret
    finder, answers = AnswerFinder(ID), []
    while output:
        length = numbers.choice([1, 7, 100, 4096])
        answer = finder.feed(output[:length])
        output = output[length:]
        if answer is not None:
            answers.append(answer["response"])
            break
    assert answers == [{"text": "a\u2028b" * 1000}]


def test_a_line_that_is_not_complete_is_no_answer() -> None:
    finder = AnswerFinder(ID)
    assert finder.feed(response(ID, 1)) is None
    assert finder.feed(b"\n") is not None


def test_a_line_beyond_any_bound_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_answer, "LONGEST_LINE", 10_000)
    finder = AnswerFinder(ID)
    for _ in range(100):
        assert finder.feed(b"x" * 1000) is None
    assert sum(map(len, finder._pieces)) <= 10_000
    assert finder.feed(b"\n" + response(ID, 1) + b"\n") is not None
