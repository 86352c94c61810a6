"""The end of the log in STATE_DIR: bounded, whole lines, and harmless whatever becomes of it."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.state.kept_log import KeptLog
from tests.support.gateway import PATIENCE, ROOT

LINE = "x" * 99
PROCESSES, EACH = 4, 2000


def files(state: Path) -> list[Path]:
    """The files that there are."""
    return [path for name in ("log.1", "log") if (path := state / name).exists()]


def test_lines_of_several_processes_stay_whole_and_the_last_are_kept(tmp_path: Path) -> None:
    # As workers do.
    program = (
        "import sys; from app.state.kept_log import KeptLog; kept = KeptLog(sys.argv[1], 10_000)\n"
        f"for number in range({EACH}):\n"
        f"    kept.write(f'{{sys.argv[2]}} {{number}} {LINE}\\n'.encode())"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path, str(name)], cwd=ROOT)
        for name in range(PROCESSES)
    ]
    assert [writer.wait(PATIENCE) for writer in writers] == [0] * PROCESSES
    kept = KeptLog(str(tmp_path), 10_000)
    lines = kept.lines(10_000, 1 << 20)
    # Two files, each longer by at most a line of each process.
    assert 10_000 / 110 < len(lines) < 2 * (10_000 / 100 + PROCESSES)
    last = dict.fromkeys(range(PROCESSES), -1)
    for line in lines:
        name, number, rest = line.split(" ")
        assert rest == LINE
        # None is missing between those that are kept.
        assert last[int(name)] in (-1, int(number) - 1)
        last[int(name)] = int(number)
    assert EACH - 1 in last.values()
    for path in files(tmp_path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_as_many_lines_are_read_as_are_wanted(tmp_path: Path) -> None:
    kept = KeptLog(str(tmp_path), 50)
    assert kept.lines(3, 1000) == []
    for number in range(10):
        kept.write(b"line %d\n" % number)
    assert len(files(tmp_path)) == 2
    assert kept.lines(1, 1000) == ["line 9"]
    assert kept.lines(5, 1000) == [f"line {number}" for number in range(5, 10)]
    assert kept.lines(100, 1000) == [f"line {number}" for number in range(10)]
    # A line whose beginning is not read is left out.
    assert kept.lines(100, 10) == ["line 9"]
    assert kept.lines(100, 20) == ["line 8", "line 9"]


def make_folder(path: Path) -> None:
    """A folder with something in it."""
    path.mkdir()
    (path / "x").touch()


def make_unwritable(path: Path) -> None:
    """A file without rights, also for root."""
    path.touch(mode=0o400)


@pytest.mark.parametrize(
    "make",
    [
        make_folder,
        os.mkfifo,
        make_unwritable,
        lambda path: path.symlink_to(path.with_name("elsewhere")),
        lambda path: path.symlink_to(path),
        lambda path: path.write_bytes(b"\0" * 1000),
    ],
)
@pytest.mark.parametrize("name", ["log", "log.1"])
def test_what_a_job_puts_there_costs_few_lines(tmp_path: Path, make, name: str) -> None:
    kept = KeptLog(str(tmp_path), 50)
    for number in range(10):
        kept.write(b"line %d\n" % number)
    (tmp_path / name).unlink()
    make(tmp_path / name)
    kept.lines(10, 1000)
    for number in range(10, 30):
        kept.write(b"line %d\n" % number)
    assert kept.lines(2, 1000) == ["line 28", "line 29"]
    assert not (tmp_path / "elsewhere").exists()
    assert all(path.is_file() and not path.is_symlink() for path in files(tmp_path))


def test_a_folder_that_is_gone_raises_nothing(tmp_path: Path) -> None:
    kept = KeptLog(str(tmp_path / "gone"))
    kept.write(b"line\n")
    assert kept.lines(1, 1000) == []


def test_a_job_that_holds_the_lock_cannot_make_it_grow(tmp_path: Path) -> None:
    kept = KeptLog(str(tmp_path), 50)
    kept.write(b"line 0\n")
    with (tmp_path / "log").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for _ in range(100):
            kept.write(b"a line more\n")
        assert (tmp_path / "log").stat().st_size < 120
    kept.write(b"line 1\n")
    kept.write(b"line 2\n")
    assert kept.lines(1, 1000) == ["line 2"]
