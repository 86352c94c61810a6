"""The scanner of a run's output finds the lines that its supervisor acts upon."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.runs.supervisor.output_scanner import CHUNK, OutputScanner

RESULT = b'{"type":"result","is_error":false}\n'
OTHER = b'{"type":"assistant","message":"..."}\n'


@contextmanager
def scanner_of(path: Path) -> Iterator[OutputScanner]:
    output = os.open(path, os.O_RDONLY)
    try:
        yield OutputScanner(output)
    finally:
        os.close(output)


@pytest.mark.parametrize("size", [1, 7, CHUNK - len(RESULT) - 9, CHUNK - 5, CHUNK, 3 * CHUNK + 11])
def test_a_line_is_found_wherever_it_lies(size: int, tmp_path: Path) -> None:
    path = tmp_path / "output"
    before = OTHER + b"x" * size + b"\n"
    path.write_bytes(before + RESULT + OTHER)
    with scanner_of(path) as scanner:
        (line,) = scanner.new_lines()
    assert line.fields["type"] == "result"
    assert (line.start, line.end) == (len(before), len(before + RESULT))


def test_a_line_is_found_once_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(OTHER + RESULT[:20])
    with scanner_of(path) as scanner:
        assert list(scanner.new_lines()) == []
        with path.open("ab") as output:
            output.write(RESULT[20:])
        assert [line.start for line in scanner.new_lines()] == [len(OTHER)]
        assert list(scanner.new_lines()) == []


def test_a_hole_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(RESULT)
    os.truncate(path, 300 << 30)
    with scanner_of(path) as scanner:
        assert [line.start for line in scanner.new_lines()] == [0]
        assert list(scanner.new_lines()) == []
        assert scanner.position < 1 << 20
