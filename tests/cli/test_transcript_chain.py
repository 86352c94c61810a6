"""Where a session can be resumed, by what its transcript has."""

import json

import pytest

from app.cli.transcript_chain import Answer, last_answer, leads_back


def lines(*said: str) -> bytes:
    """Lines of a transcript: `<type> <uuid> <uuid of the one before>`, or only a type."""
    names = ("type", "uuid", "parentUuid")
    fields = [dict(zip(names, each.split(), strict=False)) for each in said]
    return b"".join(json.dumps(each).encode() + b"\n" for each in fields)


FIRST = ("assistant a u", "attachment x a", "user v a", "assistant b v", "last-prompt")


@pytest.mark.parametrize(
    ("added", "leads"),
    [
        ([], True),
        (["user w b", "user y w", "assistant c y"], True),
        # It was resumed at the first answer.
        (["user w a", "assistant c w"], True),
        # It was resumed at what came before the first answer.
        (["user w u", "assistant c w"], False),
        # It was compacted.
        (["system s", "user w s"], False),
        (["mode"], True),
    ],
)
def test_a_session_can_be_resumed_where_its_end_leads_back_to(
    added: list[str], leads: bool
) -> None:
    assert leads_back(lines(*FIRST, *added).split(b"\n"), "a") is leads


def test_an_answer_that_was_taken_back_is_not_led_to() -> None:
    later = lines(*FIRST[3:], "user w a", "assistant c w")
    assert not leads_back(later.split(b"\n"), "b")


def test_the_lines_of_agents_are_left_out() -> None:
    side = b'{"type":"assistant","uuid":"z","parentUuid":null,"isSidechain":true}\n'
    assert leads_back([*lines(*FIRST).split(b"\n"), side], "a")
    assert last_answer(lines("assistant a u") + side) == Answer("a", 0)


def test_ids_that_are_no_texts_are_no_ids() -> None:
    strange = b'{"type":"user","uuid":{"a":1},"parentUuid":["a"]}\n'
    assert not leads_back([*lines(*FIRST).split(b"\n"), strange], "a")


def test_another_line_at_the_place_of_the_answer_is_no_answer() -> None:
    assert not leads_back(lines("assistant q u", "assistant a q").split(b"\n"), "a")
    assert not leads_back([], "a")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (["user u", "assistant a u", "assistant b a", "mode"], "b"),
        (["user u", "assistant a u", "attachment x a"], "a"),
        (["assistant a u", "user v a"], None),
        # A command of the CLI answers without the model.
        (["assistant a u", "user v a", "system s v"], None),
        (["mode"], None),
        ([], None),
    ],
)
def test_the_last_answer_is_what_was_said_last(said: list[str], found: str | None) -> None:
    answer = last_answer(lines(*said))
    assert (answer and answer.id) == found
    if answer is not None:
        assert lines(*said)[answer.at :].startswith(b'{"type": "assistant"')
