"""The framer's output for a CLI's output, read back by a strict event-stream parser."""

import json
import re
import tracemalloc
from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app import sse
from app.sse import Framer, comment, event


class Event(NamedTuple):
    """One event as a client gets it."""

    name: bytes
    data: bytes
    id: bytes


def parse(stream: bytes) -> list[Event]:
    """The events of a stream, after the HTML standard, section 9.2.6, over bytes.

    Stricter than that: a field that the standard would ignore, and an end in the middle of an
    event, are errors.
    """
    lines = re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))
    assert lines.pop() == b"", "the stream ends in the middle of a line"
    events = []
    name, data, identity = b"", b"", b""
    for line in lines:
        if not line:
            if data:
                events.append(Event(name or b"message", data.removesuffix(b"\n"), identity))
            name, data = b"", b""
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"":
            continue
        if field == b"data":
            data += value + b"\n"
        elif field == b"event":
            name = value
        else:
            assert field == b"id", f"the field {field!r} is unknown"
            assert b"\0" not in value
            identity = value
    assert not name, "the stream ends in the middle of an event"
    assert not data, "the stream ends in the middle of an event"
    return events


def lines_of(output: bytes) -> list[bytes]:
    """The lines that a client is to get, as the contract has them."""
    return [line.replace(b"\r", b"\n") for line in output.split(b"\n") if line]


def frames(output: bytes, position: int = 0) -> bytes:
    """The stream of an output that comes in one chunk, from a position."""
    framer = Framer(position)
    return framer.feed(output[position:]) + framer.finish()


def cut(output: bytes, sizes: list[int]) -> Iterator[bytes]:
    """An output in chunks of these sizes, again and again."""
    start = 0
    for size in cycle(sizes):
        if start >= len(output):
            return
        yield output[start : start + size]
        start += size


PIECES = st.one_of(
    st.sampled_from(
        [
            b"\n",
            b"\n\n",
            b"\r",
            b"\r\n",
            b"\0",
            "\u2028\u2029\x85".encode(),
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b" ",
            b":",
            b"data: x",
            b"id: 7",
            b"event: done",
            b'{"type":"assistant"}',
            b"long" * 10,
        ]
    ),
    st.binary(max_size=12),
)
OUTPUTS = st.lists(PIECES, max_size=30).map(b"".join)
SIZES = st.one_of(
    st.just([1]),
    st.lists(st.integers(0, 12), min_size=1, max_size=6).filter(any),
    st.just([1 << 16]),
)
LONGEST_HELD = st.sampled_from([0, 1, 5, 20, 1 << 16])


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
@pytest.mark.parametrize(
    ("written", "events"),
    [
        (["data: YHOO", "data: +2", "data: 10", ""], [Event(b"message", b"YHOO\n+2\n10", b"")]),
        (
            [": test stream", "", "data: first event", "id: 1", "", "data:second event", "id", ""],
            [Event(b"message", b"first event", b"1"), Event(b"message", b"second event", b"")],
        ),
        (
            ["data", "", "data", "data", ""],
            [Event(b"message", b"", b""), Event(b"message", b"\n", b"")],
        ),
        (["event: add", "data: 73857293", ""], [Event(b"add", b"73857293", b"")]),
        (["data:test", "", "data: test", ""], [Event(b"message", b"test", b"")] * 2),
    ],
)
def test_the_parser_of_these_tests_reads_the_examples_of_the_standard(
    written: list[str], events: list[Event], end: bytes
) -> None:
    assert parse(b"".join(line.encode() + end for line in written)) == events


@given(OUTPUTS, SIZES, LONGEST_HELD)
@example(b"a\rb\n", [2], 1 << 16)
@example(b"a\r\nb", [2], 0)
@settings(max_examples=300)
def test_the_client_gets_each_line_that_is_not_blank_whatever_the_chunks(
    output: bytes, sizes: list[int], longest_held: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "LONGEST_HELD", longest_held)
        framer = Framer(0)
        stream = b"".join(framer.feed(chunk) for chunk in cut(output, sizes)) + framer.finish()
    events = parse(stream)
    assert [each.data for each in events] == lines_of(output)
    assert {each.name for each in events} <= {b"message"}


@given(OUTPUTS, SIZES, LONGEST_HELD)
def test_ids_are_positions_that_grow_and_do_not_depend_on_the_chunks(
    output: bytes, sizes: list[int], longest_held: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "LONGEST_HELD", longest_held)
        framer = Framer(0)
        stream = b"".join(framer.feed(chunk) for chunk in cut(output, sizes)) + framer.finish()
    positions = [int(each.id) for each in parse(stream)]
    assert positions == sorted(set(positions))
    assert all(0 < position <= len(output) for position in positions)
    assert positions == [int(each.id) for each in parse(frames(output))]


@given(OUTPUTS, SIZES, LONGEST_HELD)
def test_going_on_at_any_id_brings_exactly_the_remaining_events(
    output: bytes, sizes: list[int], longest_held: int
) -> None:
    events = parse(frames(output))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "LONGEST_HELD", longest_held)
        for seen, last in enumerate(events, start=1):
            position = int(last.id)
            framer = Framer(position)
            chunks = cut(output[position:], sizes)
            stream = b"".join(framer.feed(chunk) for chunk in chunks) + framer.finish()
            assert parse(stream) == events[seen:]


@given(OUTPUTS, SIZES, LONGEST_HELD)
def test_a_ping_between_two_chunks_disturbs_nothing_unless_an_event_is_open(
    output: bytes, sizes: list[int], longest_held: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "LONGEST_HELD", longest_held)
        framer = Framer(0)
        stream = b""
        for chunk in cut(output, sizes):
            stream += framer.feed(chunk)
            if not framer.inside:
                stream += comment("ping")
        stream += framer.finish()
    assert parse(stream) == parse(frames(output))


@pytest.mark.parametrize(
    ("output", "events"),
    [
        (b"", []),
        (b"\n\n\n", []),
        (b"one\ntwo\n", [b"one", b"two"]),
        (b"one\n\n\ntwo\n", [b"one", b"two"]),
        (b"one\nno newline at the end", [b"one", b"no newline at the end"]),
        (b"a\0b\n", [b"a\0b"]),
        ("a\u2028b\u2029c\x85d\x0b\x0c\n".encode(), ["a\u2028b\u2029c\x85d\x0b\x0c".encode()]),
        (b"\xff\xfe\xc3\n", [b"\xff\xfe\xc3"]),
        (b"\xef\xbb\xbf{}\n", [b"\xef\xbb\xbf{}"]),
        (b"a\rb\n", [b"a\nb"]),
        (b"dos\r\n", [b"dos\n"]),
        (b"\r\n", [b"\n"]),
        (b"\r\r", [b"\n\n"]),
        (b" one space\n", [b" one space"]),
        (b": no comment\n", [b": no comment"]),
        (b"event: done\ndata: {}\n\n", [b"event: done", b"data: {}"]),
    ],
)
def test_bytes_pass_as_they_are(output: bytes, events: list[bytes]) -> None:
    assert [each.data for each in parse(frames(output))] == events


def test_a_line_is_an_event_as_soon_as_its_newline_comes() -> None:
    framer = Framer(0)
    assert framer.feed(b"half a li") == b""
    assert parse(framer.feed(b"ne\nnext")) == [Event(b"message", b"half a line", b"12")]
    assert parse(framer.finish()) == [Event(b"message", b"next", b"16")]


def test_a_long_line_is_passed_on_before_its_end_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST_HELD", 4)
    framer = Framer(0)
    begun = framer.feed(b"12345")
    assert begun.endswith(b"data: 12345")
    assert framer.inside
    assert framer.feed(b"678") == b"678"
    assert framer.feed(b"") == b""
    ended = framer.feed(b"\nnext\n")
    assert not framer.inside
    events = parse(begun + b"678" + ended)
    assert events == [Event(b"message", b"12345678", b"9"), Event(b"message", b"next", b"14")]


def test_a_line_of_100_mb_is_framed_in_bounded_memory() -> None:
    chunk = b"x" * (64 << 10)
    bound = sse.LONGEST_HELD + len(chunk)
    framer = Framer(0)
    length = sent = held = 0
    tracemalloc.start()
    try:
        while length < 100 << 20:
            sent += len(framer.feed(chunk))
            length += len(chunk)
            held = max(held, len(framer._held))
        sent += len(framer.feed(b"\n"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held <= bound
    assert peak <= 8 * bound
    frame = f"event: message\ndata: \nid: {length + 1}\n\n"
    assert sent == length + len(frame)


@given(
    st.dictionaries(st.text(), st.one_of(st.text(), st.none(), st.booleans(), st.integers())),
    st.one_of(st.none(), st.integers(0).map(str)),
)
def test_an_event_of_our_own_is_one_event_whatever_its_data(
    data: dict[str, object], position: str | None
) -> None:
    (found,) = parse(event("done", data, position))
    assert found.name == b"done"
    assert json.loads(found.data) == data
    assert found.id == (position or "").encode()


def test_a_ping_is_no_event() -> None:
    assert comment("ping") == b": ping\n"
    assert parse(comment("ping")) == []
