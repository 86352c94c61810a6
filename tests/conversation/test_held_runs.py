"""The runs that wait for the results of a client's tools, as files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.conversation.held_runs import HeldRuns
from app.processes import this_process
from app.records import kept_run
from app.records.kept_run import KeptRun
from app.state.files import make_folder

RUN = "c57ed2ea-8df2-48f9-b325-0fe5770aed00"


@pytest.fixture
def state(tmp_path: Path) -> str:
    """A state folder with a run that is held."""
    make_folder(f"{tmp_path}/kept")
    _write(str(tmp_path), "held")
    return str(tmp_path)


def _write(state: str, run_state: str) -> None:
    kept_run.write(state, KeptRun(RUN, this_process(), run_state, "", "/", None, "", 1, None, 0))


def test_a_run_is_taken_once_and_can_be_given_back(state: str) -> None:
    workers = [HeldRuns(Path(state), 1) for _ in range(2)]
    workers[0].record("d", RUN)
    for _ in range(2):
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda n: workers[n % 2].take("d"), range(50)))
        assert [each for each in taken if each is not None] == [RUN]
        workers[1].record("d", RUN)


@pytest.mark.parametrize("run_state", ["busy", "idle"])
def test_a_run_that_waits_no_longer_is_not_found(state: str, run_state: str) -> None:
    held = HeldRuns(Path(state), 1)
    held.record("d", RUN)
    _write(state, run_state)
    assert held.take("d") is None
    held.record("e", RUN)
    _write(state, "held")
    assert held.take("e") is None


def test_only_so_many_runs_are_held(state: str) -> None:
    assert not HeldRuns(Path(state), 1).has_room()
    assert HeldRuns(Path(state), 2).has_room()
    _write(state, "busy")
    assert HeldRuns(Path(state), 1).has_room()
