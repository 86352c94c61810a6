"""The journal of events, written and read by several processes."""

import errno
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


def test_no_line_of_several_processes_is_lost_when_new_journals_begin(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More than what is written in one round, so that one journal at most begins in it.
    monkeypatch.setattr(event_journal, "LARGEST", 5000)
    position, first, seen = end_of(state), end_of(state), []
    context = multiprocessing.get_context("fork")
    names, rounds = ("one", "two", "three"), 10
    barrier = context.Barrier(len(names) + 1)

    def write_in_rounds(name: str) -> None:
        for number in range(rounds):
            barrier.wait(20)
            write_many(state, f"{name}-{number}", 100)
            barrier.wait(20)

    writers = [context.Process(target=write_in_rounds, args=(name,)) for name in names]
    for writer in writers:
        writer.start()
    for _ in range(rounds):
        barrier.wait(20)
        barrier.wait(20)
        found = read(state, position)
        assert found.is_complete
        seen += found.lines
        position = found.end
    for writer in writers:
        writer.join()
    assert position.journal != first.journal
    expected = {
        f"job {name}-{number}-{item}"
        for name in names
        for number in range(rounds)
        for item in range(100)
    }
    assert set(seen) == expected


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


def test_on_a_full_disk_readers_notice_that_a_line_is_missing(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = end_of(state)
    note(state, "job", "a")

    def full(descriptor: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(event_journal.os, "write", full)
        note(state, "job", "b")
    note(state, "job", "c")
    assert not read(state, start).is_complete
