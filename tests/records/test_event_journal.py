"""The journal of events, written and read by several processes."""

import fcntl
import multiprocessing
import os
from pathlib import Path

import pytest

from app.records import event_journal
from app.records.event_journal import FOLDER, Position, end_of, note, read


@pytest.fixture
def state(tmp_path: Path) -> str:
    (tmp_path / FOLDER).mkdir()
    return str(tmp_path)


def write_many(state: str, name: str, count: int) -> None:
    for number in range(count):
        note(state, "job", f"{name}-{number}")


def test_what_was_noted_is_read_from_any_position(state: str) -> None:
    start = end_of(state)
    note(state, "job", "a")
    middle = end_of(state)
    note(state, "run", "b")
    assert read(state, start) == (["job a", "run b"], end_of(state), True)
    assert read(state, middle).lines == ["run b"]
    assert read(state, start, middle) == (["job a"], middle, True)
    assert read(state, end_of(state)).lines == []


def test_a_full_journal_is_read_on_in_the_next_one(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_journal, "LARGEST", 200)
    position, seen = end_of(state), []
    for number in range(100):
        note(state, "job", str(number))
        if number % 7 == 0:
            found = read(state, position)
            assert found.is_complete
            seen += found.lines
            position = found.end
    seen += read(state, position).lines
    assert seen == [f"job {number}" for number in range(100)]
    assert sum(path.stat().st_size for path in Path(state, FOLDER).iterdir()) < 500


def test_a_position_that_the_journal_has_no_longer_is_not_complete(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = end_of(state)
    monkeypatch.setattr(event_journal, "LARGEST", 100)
    write_many(state, "x", 50)
    assert read(state, start) == ([], end_of(state), False)
    end = end_of(state)
    for wrong in (end._replace(offset=end.offset - 1), end._replace(offset=10**8)):
        assert not read(state, wrong).is_complete
    assert not read(state, Position("0" * 16, 25)).is_complete


def test_no_line_of_several_processes_is_lost_when_new_journals_begin(state: str) -> None:
    start, position, seen = end_of(state), end_of(state), []
    names = ("one", "two", "three")
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_in_small, args=(state, name)) for name in names]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        found = read(state, position)
        if not found.is_complete:
            pytest.skip("the reader was too slow for these small journals")
        seen += found.lines
        position = found.end
    for writer in writers:
        writer.join()
    found = read(state, position)
    seen += found.lines
    assert found.is_complete and found.end.journal != start.journal
    assert {f"job {name}-{number}" for name in names for number in range(1000)} <= set(seen)


def _write_in_small(state: str, name: str) -> None:
    event_journal.LARGEST = 20_000
    write_many(state, name, 1000)


def test_a_lock_that_a_job_holds_does_not_let_the_journal_grow(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_journal, "LARGEST", 200)
    end_of(state)
    held = os.open(event_journal.journal_file(state), os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    write_many(state, "x", 100)
    os.close(held)
    assert Path(event_journal.journal_file(state)).stat().st_size < 500


def test_without_a_folder_nothing_is_noted_and_nothing_raised(tmp_path: Path) -> None:
    note(str(tmp_path), "job", "a")
    (tmp_path / FOLDER).symlink_to("/tmp")  # noqa: S108
    note(str(tmp_path), "job", "a")
    assert not Path("/tmp/journal").exists()  # noqa: S108
    with pytest.raises(OSError):
        end_of(str(tmp_path))
