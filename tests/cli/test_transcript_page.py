"""Pages of a transcript, whatever a job has written into it."""

import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli import transcript_page
from app.cli.transcript_page import LONGEST_LINE, LONGEST_TEXT, MOST_READ, PAGE_SIZE, read_page


def message(text: object, kind: str = "user") -> bytes:
    return json.dumps({"uuid": "u", "type": kind, "message": {"content": text}}).encode() + b"\n"


def opened(content: bytes) -> int:
    """An open file without a name."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return os.dup(file.fileno())


def pages(file: int, limit: int, notes: bool = False) -> Iterator[list[dict[str, Any]]]:
    """All pages, the newest first."""
    before = None
    while True:
        page = read_page(file, before, limit, notes)
        assert len(page.entries) <= limit
        yield page.entries
        if page.before is None:
            return
        assert before is None or page.before < before
        before = page.before


def texts(entries: list[dict[str, Any]]) -> list[Any]:
    return [entry["message"]["content"] for entry in entries]


@given(
    st.lists(st.integers(0, 40), max_size=30), st.integers(1, 7), st.sampled_from([1, 7, 64, 1000])
)
def test_all_pages_together_are_all_entries(lengths: list[int], limit: int, block: int) -> None:
    whole = [f"{number}{'x' * length}" for number, length in enumerate(lengths)]
    file = opened(b"".join(map(message, whole)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcript_page, "_BLOCK", block)
        found = [*pages(file, limit)]
    os.close(file)
    assert [text for page in reversed(found) for text in texts(page)] == whole


def test_a_line_that_is_being_written_is_not_an_entry_yet() -> None:
    file = opened(message("a") + message("b")[:-1])
    assert texts(read_page(file, None, 9, False).entries) == ["a"]
    os.pwrite(file, b"\n", os.fstat(file).st_size)
    assert texts(read_page(file, None, 9, False).entries) == ["a", "b"]
    os.close(file)


def test_notes_of_the_cli_are_entries_only_if_they_are_asked_for() -> None:
    lines = [
        message("a"),
        *(b'{"type":"api-request","x":1}\n', b'{"x":1,"type":"attachment","uuid":"u"}\n'),
        *(b"\n", b"no JSON\n", b"[1]\n", b'{"type":[]}\n', b"\xff\n"),
        message("b", "assistant"),
    ]
    file = opened(b"".join(lines))
    assert texts(read_page(file, None, 2, False).entries) == ["a", "b"]
    kinds = [entry["type"] for entry in read_page(file, None, 9, True).entries]
    assert kinds == ["user", "api-request", "attachment", [], "assistant"]
    os.close(file)


def test_a_page_stays_small() -> None:
    file = opened(message("a" * 30_000) * 100 + message(["b" * 100_000] * 8))
    sizes = [len(json.dumps(page)) for page in pages(file, 500)]
    assert len(sizes) > 3
    assert max(sizes) < PAGE_SIZE * 1.1
    (last,) = read_page(file, None, 1, False).entries
    cut = last["message"]["content"][0]
    assert cut == f"{'b' * LONGEST_TEXT}… [cut: 100000 characters]"
    os.close(file)


def test_a_line_that_is_too_long_is_replaced_by_its_beginning() -> None:
    huge = message("x" * (LONGEST_LINE + 1))
    file = opened(message("a") + huge + message("b"))
    first, cut, last = read_page(file, None, 9, False).entries
    assert texts([first, last]) == ["a", "b"]
    assert (cut["type"], cut["bytes"]) == ("cut", len(huge) - 1)
    assert huge.startswith(cut["text"].encode()) and len(cut["text"]) == 1000
    os.close(file)


def test_a_long_note_of_the_cli_is_no_entry() -> None:
    note = b'{"type":"api-request-blob","x":"' + b"x" * LONGEST_LINE + b'"}\n'
    file = opened(message("a") + note + message("b"))
    assert texts(read_page(file, None, 9, False).entries) == ["a", "b"]
    assert read_page(file, None, 9, True).entries[1]["type"] == "cut"
    os.close(file)


def test_a_line_longer_than_what_is_read_at_once_is_passed_in_several_pages() -> None:
    file = opened(message("a") + b"x" * 3 * MOST_READ + b"\n" + message("b"))
    first, *between, last = pages(file, 9)
    assert first[0] == {"type": "cut", "bytes": None, "text": ""}
    assert texts(first[1:]) == ["b"]
    assert between and not any(between)
    assert texts(last) == ["a"]
    os.close(file)


def test_a_hole_of_a_terabyte_is_not_read() -> None:
    file = opened(message("a"))
    os.ftruncate(file, 1 << 40)
    page = read_page(file, None, 9, False)
    assert page == ([], (1 << 40) - MOST_READ)
    os.close(file)


def test_a_position_behind_the_end_is_the_end() -> None:
    file = opened(message("a"))
    assert texts(read_page(file, 1 << 60, 9, False).entries) == ["a"]
    assert read_page(file, 0, 9, False) == ([], None)
    os.close(file)
    empty = opened(b"")
    assert read_page(empty, None, 9, False) == ([], None)
    os.close(empty)


def test_deep_and_odd_json_does_no_harm() -> None:
    deep = b'{"type":"user","a":' + b"[" * 5000 + b"]" * 5000 + b',"b":1}\n'
    odd = b'{"type":"user","n":NaN,"big":' + b"9" * 5000 + b',"half":"\\ud83d"}\n'
    file = opened(deep + odd + message("c"))
    entries = read_page(file, None, 9, False).entries
    assert entries[-1]["message"] == {"content": "c"}
    json.dumps(entries, allow_nan=False)
    os.close(file)
