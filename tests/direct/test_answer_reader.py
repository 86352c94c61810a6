"""The reader of a streamed answer."""

import json
import random
import time

import pytest

from app.direct import answer_reader
from app.direct.answer_reader import AnswerReader, BadStream, read_message
from tests.support.direct_api import events, message

ASKED = {"model": "claude-haiku-4-5"}


def stream_of(verb: str, rest: str = "") -> bytes:
    """The bytes of a stream of the stand-in."""
    found = events(ASKED, verb, rest)
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in found)


@pytest.mark.parametrize("verb", ["say", "think", "tool", "error-late"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_pieces_of_any_size_add_up_to_the_same(verb: str, ending: bytes) -> None:
    whole = stream_of(verb, "one two\u2028 three")
    sent = whole.replace(b"\n", ending)
    for seed in range(50):
        chance = random.Random(seed)  # noqa: S311 - no secret
        reader, passed, rest = AnswerReader(), b"", sent
        while rest:
            size = chance.choice([1, 2, 5, 50, 1000])
            passed += reader.feed(rest[:size])
            # Only whole events.
            assert passed == b"" or passed.endswith(b"\n\n")
            rest = rest[size:]
        assert passed == whole
        if verb == "error-late":
            assert reader.answer.error == ("one", "two\u2028 three")
            assert not reader.answer.is_complete
            continue
        found = read_message(message(ASKED, verb, "one two\u2028 three"))
        assert reader.answer.is_complete and reader.answer.error is None
        assert reader.answer.text == found.text
        assert reader.answer.usage == found.usage
        assert reader.answer.stop_reason == found.stop_reason


def test_what_is_no_json_is_passed_on_and_changes_nothing() -> None:
    odd = b': a comment\n\ndata: [1]\n\ndata: {\ndata: "type": "x"}\n\ndata: {]\n\n\n\n'
    reader = AnswerReader()
    assert reader.feed(odd + stream_of("say", "hi")) == odd + stream_of("say", "hi")
    assert reader.answer.text == "hi " and reader.answer.is_complete


def test_texts_are_apart_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = [{"type": "text", "text": "one"}, {"type": "x"}, {"type": "text", "text": "two"}]
    assert read_message({"content": content}).text == "one\n\ntwo"
    assert read_message({"content": None, "usage": [], "stop_reason": 5}).stop_reason is None
    monkeypatch.setattr(answer_reader, "LONGEST_TEXT", 10)
    reader = AnswerReader()
    reader.feed(stream_of("tokens", "1000"))
    assert 10 <= len(reader.answer.text) < 20 and reader.answer.is_complete


def test_an_event_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_reader, "LONGEST_EVENT", 1000)
    reader = AnswerReader()
    with pytest.raises(BadStream):
        for _ in range(100):
            reader.feed(b"data: x" * 10)


def test_an_answer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_reader, "LONGEST_ANSWER", 1000)
    AnswerReader().feed(stream_of("tokens", "200"))
    for text in (stream_of("tokens", "300"), stream_of("tokens", "300").replace(b"text", b"json")):
        with pytest.raises(BadStream):
            AnswerReader().feed(text)


def test_a_long_event_costs_no_more_than_its_length() -> None:
    reader, line = AnswerReader(), b"data: x\n"
    began = time.process_time()
    for _ in range(1 << 16):
        assert reader.feed(line) == b""
    # Read from its beginning again with each piece, it takes many seconds.
    assert time.process_time() - began < 2
    assert len(reader.feed(b"\n")) == (len(line) << 16) + 1


def test_a_secret_is_masked_wherever_its_pieces_are_cut() -> None:
    sent = b'data: {"type": "x", "y": "a-secret"}\n\n'
    for at in range(len(sent)):
        reader = AnswerReader(b"a-secret")
        passed = reader.feed(sent[:at]) + reader.feed(sent[at:])
        assert passed == sent.replace(b"a-secret", b"***")
