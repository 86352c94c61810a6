"""What the CLI's lines become: the text of an answer."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.answer import LONGEST_LINE, AnswerParser
from app.conversation.events import AgentLine, AnswerStart, TextDelta

# Answers


def event(**fields: Any) -> bytes:
    """A line of a streamed event."""
    return json.dumps(
        {"type": "stream_event", "parent_tool_use_id": None, "event": fields}
    ).encode()


def begin(identity: str = "m1") -> list[bytes]:
    """A message and a block begin."""
    start = {"id": identity, "usage": {"input_tokens": 3, "output_tokens": 1}}
    return [
        event(type="message_start", message=start),
        event(type="content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ]


def delta(text: str) -> bytes:
    """A piece of text."""
    return event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def whole(identity: str, text: str, **more: Any) -> bytes:
    """A finished block, which the CLI sends once more as a whole."""
    message = {"id": identity, "content": [{"type": "text", "text": text}]}
    return json.dumps({"type": "assistant", "message": message, **more}).encode()


def text_of(lines: list[bytes], **named: Any) -> str:
    """All text that these lines make."""
    answer = AnswerParser(named.get("structured", False), named.get("with_lines", False))
    events = list(answer.feed(b"".join(line + b"\n" for line in lines)))
    return "".join(each.text for each in events if isinstance(each, TextDelta))


def test_pieces_come_once() -> None:
    assert text_of([*begin(), delta("a"), delta("b"), whole("m1", "ab")]) == "ab"


def test_messages_are_apart() -> None:
    lines = [*begin(), delta("a"), whole("m1", "a"), *begin("m2"), delta("b"), whole("m2", "b")]
    assert text_of(lines) == "a\n\nb"


def test_an_answer_without_streaming_counts() -> None:
    assert text_of([whole("m9", "ab")]) == "ab"


def test_after_a_broken_stream_only_the_rest_is_sent() -> None:
    assert text_of([*begin(), delta("a "), delta("b"), whole("m2", "a b c")]) == "a b c"
    assert text_of([*begin(), delta("a"), whole("m2", "x")]) == "a\n\nx"


def test_an_error_is_no_answer() -> None:
    assert text_of([whole("m1", "API Error", error="server_error")]) == ""


def test_subagents_are_not_heard() -> None:
    line = json.loads(delta("a"))
    line["parent_tool_use_id"] = "toolu_1"
    assert text_of([json.dumps(line).encode(), whole("m5", "b", parent_tool_use_id="t")]) == ""


def test_a_structured_answer_is_the_end_alone() -> None:
    answer = AnswerParser(structured=True, with_lines=False)
    events = list(answer.feed(b"\n".join([*begin(), delta("I think"), b""])))
    assert not any(isinstance(each, TextDelta) for each in events)
    assert TextDelta('{"n":3}') in answer.finish(
        {"result": '{"n":3}', "structured_output": {"n": 3}}
    )


def test_lines_wait_for_the_beginning() -> None:
    answer = AnswerParser(structured=False, with_lines=True)
    init = b'{"type":"system","subtype":"init","model":"m","session_id":"s"}\n'
    assert list(answer.feed(init)) == []
    events = list(answer.feed(b"\n".join([*begin(), b""])))
    assert events[0] == AnswerStart("m", "s")
    assert isinstance(events[1], AgentLine)


@pytest.mark.parametrize(
    "line",
    [
        b'\xff\xfe "stream_event"',
        b'{"type":"stream_event"}',
        b'{"type":"stream_event","event":7}',
        b'{"type":"stream_event","event":{"type":"content_block_delta","delta":null}}',
        b'{"type":"stream_event","event":{"type":"message_start","message":null}}',
        b'{"type":"assistant","message":null}',
        b'{"type":"assistant","message":{"content":"text"}}',
        b'{"type":"assistant","message":{"content":[null]}}',
        b'["stream_event","assistant"]',
        b'{"type":"stream_event","event":{"type":"message_delta","usage":7}}',
    ],
)
def test_a_line_of_another_shape_is_passed_over(line: bytes) -> None:
    assert text_of([line, *begin(), delta("a")]) == "a"


def test_a_line_beyond_measure_is_not_kept() -> None:
    answer = AnswerParser(structured=False, with_lines=False)
    block = b'{"type":"assistant' + b"x" * (1 << 16)
    for _ in range(2 * LONGEST_LINE // len(block)):
        assert list(answer.feed(block)) == []
        assert len(answer._lines._partial_line) <= LONGEST_LINE + len(block)
    assert list(answer.feed(b"\n" + delta("a") + b"\n")) == [
        AnswerStart(None, None),
        TextDelta("a"),
    ]


@given(st.lists(st.integers(1, 40)), st.text(max_size=30))
def test_chunks_may_end_anywhere(sizes: list[int], text: str) -> None:
    stream = b"\n".join([*begin(), delta(text), delta("."), whole("m1", text + "."), b""])

    def pieces() -> Iterator[bytes]:
        at = 0
        for size in sizes:
            yield stream[at : at + size]
            at += size
        yield stream[at:]

    answer = AnswerParser(structured=False, with_lines=False)
    events = [each for piece in pieces() for each in answer.feed(piece)]
    assert "".join(each.text for each in events if isinstance(each, TextDelta)) == text + "."


def test_what_comes_before_the_answer_begins_is_not_all_kept() -> None:
    answer = AnswerParser(structured=False, with_lines=True)
    lines = b'{"type":"user","message":"x"}\n' * 1000
    tracemalloc.start()
    try:
        # Kept, they would take 34 MB.
        for _ in range(80):
            list(answer.feed(lines))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20 << 20
