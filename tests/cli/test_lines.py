"""What is read from an output: its session, and its last result, wherever it is."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.cli import lines
from app.cli.lines import Result, last_result, parse_result, read_session, session_of

Open = Callable[[bytes], int]

RESULT = b'{"type":"result","subtype":"success","is_error":false,"result":"4"}'
SYSTEM = b'{"type":"system","subtype":"init","session_id":"s1"}'
ASSISTANT = b'{"type":"assistant","session_id":"s1"}'


@pytest.fixture
def open_output(tmp_path: Path) -> Iterator[Open]:
    """Writes an output and opens it for reading."""
    opened = []

    def open_(content: bytes) -> int:
        file = tmp_path / f"output-{len(opened)}"
        file.write_bytes(content)
        opened.append(os.open(file, os.O_RDONLY))
        return opened[-1]

    yield open_
    for descriptor in opened:
        os.close(descriptor)


def naive_last_result(output: bytes) -> Result | None:
    """The same as `last_result`, by parsing every line."""
    last = None
    offset = 0
    for line in output.split(b"\n"):
        try:
            fields = json.loads(line)
        except ValueError:
            fields = None
        if isinstance(fields, dict) and fields.get("type") == "result":
            last = Result(fields, offset, len(line))
        offset += len(line) + 1
    return last


@pytest.mark.parametrize(
    ("head", "session"),
    [
        (b"", None),
        (SYSTEM + b"\n", "s1"),
        (SYSTEM, None),
        (b'{"session_id":"s2","type":"system"}\n', "s2"),
        (b'{ "session_id" : "s3" , "type" : "system" }\n', "s3"),
        (ASSISTANT + b"\n", None),
        (ASSISTANT + b"\n" + SYSTEM + b"\n", "s1"),
        (b'{"type":"system","subtype":"hook"}\n' + SYSTEM + b"\n", "s1"),
        (SYSTEM + b'\n{"type":"system","session_id":"later"}\n', "s1"),
        (b'{"type":"system","session_id":null}\n' + SYSTEM + b"\n", "s1"),
        (b'{"type":"system","session_id":7}\n', None),
        (b'{"type":"system","nested":{"session_id":"inner"}}\n', None),
        (b'"session_id"\n["session_id"]\n\xff"session_id"\n' + SYSTEM + b"\n", "s1"),
        (b"\n\n\r\n" + SYSTEM + b"\r\n", "s1"),
        ('{"type":"system","session_id":"a\u2028b"}\n'.encode(), "a\u2028b"),
        (b"[" * 100_000 + b'"session_id"\n' + SYSTEM + b"\n", "s1"),
    ],
)
def test_the_session_is_the_one_of_the_first_system_line_that_names_one(
    head: bytes, session: str | None, open_output: Open
) -> None:
    assert session_of(head) == session
    assert read_session(open_output(head)) == session


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (RESULT + b"\n", RESULT),
        (RESULT, RESULT),
        (b'{"is_error":false,"result":"4","type":"result"}\n',) * 2,
        (b'{ "type"\t:  "result", "a": 1 }\n',) * 2,
        (RESULT + b"\n" + ASSISTANT + b"\n" + SYSTEM + b"\n", RESULT),
        (b'{"type":"result","n":1}\n{"type":"result","n":2}\n', b'{"type":"result","n":2}'),
        (RESULT + b'\n{"type":"assistant","text":"\\"type\\":\\"result\\""}\n', RESULT),
        (RESULT + b'\n{"type":"user","tool":{"type":"result"}}\n', RESULT),
        (RESULT + b'\n[{"type":"result"}]\n"result"\n', RESULT),
        (b'{"inner":{"type":"result"},"type":"result"}\n',) * 2,
        (RESULT + b'\n{"type":"result","cut in the mid', RESULT),
        # Behind a warning that has no newline, or before one.
        (RESULT + b'\n{"type":"result"} and more\n', b'{"type":"result"} and more'),
        (RESULT + b'\n\xff{"type":"result"}\xfe\n', b'\xff{"type":"result"}\xfe'),
        (b'Warning: {x} {"type":"result"}\n', b'Warning: {x} {"type":"result"}'),
        (RESULT + b"\n" + b"{" * 17 + b'{"type":"result"}\n', RESULT),
        (RESULT + b"\r\n", RESULT + b"\r"),
        (b"\n\n" + RESULT + b"\n\n\n", RESULT),
        (RESULT + b'\n"type"\n:"result"\n', RESULT),
        (RESULT + b"\n" + b'{"type":"result","deep":' + b"[" * 100_000 + b"\n", RESULT),
    ],
)
def test_the_last_result_is_found_with_its_place(
    output: bytes, line: bytes, open_output: Open
) -> None:
    found = last_result(open_output(output))
    assert found is not None
    line = line.rstrip(b"\n")
    assert output[found.offset : found.offset + found.length] == line
    assert found.fields == parse_result(line)
    assert found.fields["type"] == "result"


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\n",
        ASSISTANT + b"\n",
        b"garbage\0\xff\n",
        b'"type":"result"\n',
        b'{"type":"results"}\n{"type":"Result"}\n{"subtype":"result"}\n',
        b'{"type":"user","content":[{"type":"result"}]}\n',
        RESULT[:-1],
    ],
)
def test_an_output_without_a_result_has_none(output: bytes, open_output: Open) -> None:
    assert last_result(open_output(output)) is None


def test_the_reading_position_of_the_output_is_left_alone(open_output: Open) -> None:
    output = open_output(SYSTEM + b"\n" + RESULT + b"\n")
    read_session(output)
    last_result(output)
    assert os.read(output, 5) == SYSTEM[:5]


@pytest.mark.parametrize("padding", [0, 1, 100, 3 << 18])
def test_a_result_is_found_across_the_bounds_of_blocks(padding: int, open_output: Open) -> None:
    fields = {"pad": "x" * padding, "type": "result", "result": "y" * padding}
    line = json.dumps(fields).encode()
    noise = (ASSISTANT + b"\n") * 9000
    found = last_result(open_output(noise + line + b"\n" + noise))
    assert found == Result(fields, len(noise), len(line))


def _lines() -> st.SearchStrategy[bytes]:
    values: st.SearchStrategy[Any] = st.one_of(
        st.sampled_from(
            ["result", "type", '"type":"result"', {"type": "result"}, [{"type": "result"}], None]
        ),
        st.text(max_size=6),
        st.integers(),
    )
    objects = st.dictionaries(st.sampled_from(["type", "a", "b", "result"]), values, max_size=4)
    separators = st.sampled_from([(",", ":"), (", ", ": "), (" , ", "  :\t")])
    written = st.builds(
        lambda fields, pair: json.dumps(fields, separators=pair).encode(), objects, separators
    )
    return st.one_of(
        written,
        written,
        st.sampled_from([RESULT, RESULT[:-1], RESULT[1:], b"", b"\r", b'"type"', b':"result"}']),
        st.builds(lambda line, end: line[:end], written, st.integers(0, 30)),
        st.binary(max_size=10),
    )


def _is_broken(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


@given(
    st.lists(_lines(), max_size=8),
    st.booleans(),
    st.sampled_from([1, 2, 3, 7, 16, 61, 1 << 18]),
)
def test_searching_in_blocks_finds_what_parsing_every_line_finds(
    written: list[bytes], newline_at_end: bool, block: int
) -> None:
    # What is left of a line that was cut off looks like a result behind a warning.
    assume(not any(_is_broken(line) and parse_result(line) for line in written))
    output = b"\n".join(written) + b"\n" * newline_at_end
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryFile() as file:
        patch.setattr(lines, "_BLOCK", block)
        file.write(output)
        file.flush()
        assert last_result(file.fileno()) == naive_last_result(output)


def test_a_field_that_is_too_deep_is_left_out_and_the_result_stays() -> None:
    deep = b"[" * 101 + b"]" * 101
    line = RESULT[:-1] + b',"usage":%b,"errors":%b}' % (deep, deep[1:-1])
    fields = parse_result(line)
    assert fields["result"] == "4"
    assert "usage" not in fields
    assert "errors" in fields
    assert lines.parse(line) == fields
