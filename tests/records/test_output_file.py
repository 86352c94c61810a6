"""A run's output as a file: where its data ends, and how readers are woken."""

import itertools
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.records.output_file import cut_holes, data_end, open_output, ring
from tests.support.tool import POWERLESS


@pytest.mark.parametrize(
    ("pieces", "end"),
    [
        ([], 0),
        ([b"line\n"], 5),
        ([b"line\n", 1 << 20, b"more\n"], (1 << 20) + 10),
        ([b"line\n", 1 << 20], (1 << 20) + 5),
        ([b"line\n", 1 << 40], 4096),
        ([b"line\n", 1 << 40, b"more\n"], 4096),
    ],
)
def test_data_ends_where_a_hole_begins(pieces: list[bytes | int], end: int, tmp_path: Path) -> None:
    path = tmp_path / "output"
    with path.open("wb") as file:
        for piece in pieces:
            if isinstance(piece, bytes):
                file.write(piece)
            else:
                file.seek(piece, os.SEEK_CUR)
        file.truncate(file.tell())
    with path.open("rb") as file:
        found = data_end(file.fileno(), 0)
    # A hole begins with a block.
    assert end - 4096 < found <= end if end == 4096 else found == end


def test_an_output_is_cut_off_where_a_hole_begins(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"line\n")
    os.truncate(path, 1 << 40)
    cut_holes(str(path))
    assert path.read_bytes().rstrip(b"\0") == b"line\n"


def test_each_ring_changes_the_mode_only_for_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.touch(0o600)
    modes = [0o600]
    for _ in range(8):
        ring(str(path))
        modes.append(stat.S_IMODE(path.stat().st_mode))
    assert all(one != other for one, other in itertools.pairwise(modes))
    assert all(mode & 0o477 == 0o400 for mode in modes)


@pytest.mark.parametrize("rings", range(5))
def test_an_output_can_be_written_after_any_number_of_rings(rings: int, tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"line\n")
    os.truncate(path, 1 << 30)
    modes = []
    for _ in range(rings):
        modes.append(stat.S_IMODE(path.stat().st_mode))
        ring(str(path))
    modes.append(stat.S_IMODE(path.stat().st_mode))
    as_ordinary_user(
        "cut_holes(path); file = open_to_write(path, os.O_WRONLY | os.O_APPEND);"
        " os.write(file, b'end'); ring(path)",
        path,
    )
    assert path.read_bytes().replace(b"\0", b"") == b"line\nend"
    # Readers that have seen none of the changes in between notice this one.
    assert stat.S_IMODE(path.stat().st_mode) != modes[-1]


def as_ordinary_user(code: str, path: Path) -> None:
    """Run code with the functions of the module, without root's right to open any file."""
    start = "import os, sys; from app.records.output_file import *; path = sys.argv[1]; "
    powerless = POWERLESS if os.geteuid() == 0 else []
    subprocess.run([*powerless, sys.executable, "-c", start + code, path], check=True)


@pytest.mark.parametrize("mode", [0o444, 0o000, 0o640])
def test_a_mode_that_a_job_has_set_is_changed_too(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.touch()
    path.chmod(mode)
    ring(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_readers_of_an_output_that_was_replaced_are_woken_by_its_descriptor(
    tmp_path: Path,
) -> None:
    path = tmp_path / "output"
    with path.open("wb") as file:
        path.unlink()
        path.symlink_to("/etc/passwd")
        before = os.fstat(file.fileno()).st_mode
        ring(str(path), file.fileno())
        assert os.fstat(file.fileno()).st_mode != before
    assert not path.is_symlink()
    assert path.read_bytes() == b""


def test_a_removed_output_is_read_as_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    for name in ("nothing", "pipe"):
        descriptor = open_output(str(tmp_path / name))
        assert os.read(descriptor, 10) == b""
        os.close(descriptor)
