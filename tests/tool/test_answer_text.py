"""The text of an answer is the same with and without its pieces."""

import json

import pytest

from app.tool.answer_text import AnswerText


def event(**fields: object) -> bytes:
    """A line with an event of the model's API."""
    return json.dumps({"type": "stream_event", "event": fields}).encode()


def start(message: str = "m1") -> bytes:
    """The start of a message."""
    return event(type="message_start", message={"id": message})


BLOCK = event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})


def piece(text: str) -> bytes:
    """A piece of text."""
    return event(type="content_block_delta", delta={"type": "text_delta", "text": text})


def whole(*texts: str, message: str = "m1", **fields: object) -> bytes:
    """A message, as the CLI repeats it."""
    content = [{"type": "text", "text": text} for text in texts]
    message_fields = {"id": message, "content": content}
    return json.dumps({"type": "assistant", "message": message_fields, **fields}).encode()


def texts(*lines: bytes) -> list[str]:
    """What each line adds, and what the end does."""
    answer = AnswerText()
    return [*(answer.read(line) for line in lines), answer.finish()]


CALL = b'{"type":"assistant","message":{"id":"m1","content":[{"type":"tool_use","name":"X"}]}}'
RESULT = b'{"type":"result","result":"two"}'


@pytest.mark.parametrize(
    ("lines", "added"),
    [
        ([start(), BLOCK, piece("o"), piece("ne"), whole("one")], ["", "", "o", "ne", "\n"]),
        ([start(), BLOCK, piece("on"), whole("one")], ["", "", "on", "e\n"]),
        ([whole("one", "two"), RESULT], ["one\ntwo\n", ""]),
        (
            [start(), BLOCK, piece("one"), whole("one"), CALL, start("m2"), piece("two"), RESULT],
            ["", "", "one", "\n", "", "", "two", "\n"],
        ),
        # The stream broke, and the CLI asked again.
        (
            [
                start(),
                BLOCK,
                piece("on"),
                start("m2"),
                BLOCK,
                piece("two"),
                whole("two", message="m2"),
            ],
            ["", "", "on", "\n", "", "two", "\n"],
        ),
        ([start(), BLOCK, piece("on"), whole("two", message="m2")], ["", "", "on", "\ntwo\n"]),
        ([start(), BLOCK, piece("one"), whole("other")], ["", "", "one", "\n"]),
        # What subagents say.
        ([whole("inner", parent_tool_use_id="t"), RESULT], ["", "two\n"]),
        (
            [b'{"type":"stream_event","parent_tool_use_id":"t",' + piece("x")[25:], RESULT],
            ["", "two\n"],
        ),
    ],
)
def test_each_text_is_shown_once_and_ends_its_line(lines: list[bytes], added: list[str]) -> None:
    assert texts(*lines) == [*added, ""]


def test_a_stream_that_ends_in_the_middle_ends_its_line() -> None:
    assert texts(start(), piece("on")) == ["", "on", "\n"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"stream_event"}',
        b'{"type":"stream_event","event":[]}',
        b'{"type":"stream_event","event":{"type":"message_start","message":null}}',
        b'{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta"}}}',
        event(type="content_block_delta", delta={"type": "thinking_delta", "thinking": "hm"}),
        event(type="content_block_delta", delta={"type": "input_json_delta", "partial_json": "{"}),
        b'"stream_event"',
    ],
)
def test_lines_without_text_add_none(line: bytes) -> None:
    assert texts(line, RESULT) == ["", "two\n", ""]
