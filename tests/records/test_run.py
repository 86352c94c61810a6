"""A run's folder: its processes, and how it exited."""

import os
from pathlib import Path

import pytest

from app.processes import Process
from app.records.run import Run, RunExit, Running, RunStart

RUNNING = Running(Process(10, 100), Process(11, 101), "boot")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that has not started yet."""
    (tmp_path / "runs").mkdir()
    found = Run(str(tmp_path), "a")
    found.create(RunStart("/", ["--print"], 1.0), {})
    return found


def test_records_are_read_back(run: Run) -> None:
    assert run.running() is None
    assert not run.was_started()
    assert run.exit() is None
    run.set_running(RUNNING)
    assert run.was_started()
    assert run.running() == RUNNING
    exited = RunExit(1, None, "SIGTERM", 2, 3)
    run.write_exit(exited)
    assert run.exit() == exited
    assert {path.name for path in Path(run.path).iterdir()} == {
        "start.json",
        "output",
        "running",
        "exited",
    }


@pytest.mark.parametrize("text", ["", "x", "1 2 3 4", "1 2 3 x boot", "1 2 3 4 boot more"])
def test_a_damaged_record_of_processes_is_mended(text: str, run: Run) -> None:
    run.set_running(RUNNING)
    link = Path(run.path, "running")
    link.unlink()
    if text:
        link.symlink_to(text)
    else:
        link.write_text("not a link")
    assert run.running() is None
    assert run.was_started()
    run.restore(RUNNING)
    assert run.running() == RUNNING


def test_processes_of_another_boot_are_not_the_supervisor(run: Run) -> None:
    run.set_running(RUNNING)
    assert run.supervisor() is None


def test_standard_error_is_created_once(run: Run) -> None:
    os.close(run.open_stderr())
    with pytest.raises(FileExistsError):
        run.open_stderr()
