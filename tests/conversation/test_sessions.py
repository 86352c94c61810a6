"""Which session goes on with which conversation, as it is kept on disk."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.auth.users import User
from app.cli.transcripts import Transcripts
from app.conversation.sessions import KEPT, Sessions

SESSION = "54eb236b-b0ff-442a-9ae3-2e06374f0602"
CWD = "/srv/a project.x"
A, B = User("key:a", "a"), User("key:b", "b", shares=True)


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    """The CLI's transcript of SESSION in CWD."""
    file = tmp_path / ".claude/projects/-srv-a-project-x" / f"{SESSION}.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("said\n", encoding="ascii")
    return file


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    """The sessions of a state folder of the test's own."""
    return Sessions(tmp_path / "state", Transcripts({"HOME": str(tmp_path)}))


def test_a_history_is_taken_once(sessions: Sessions, transcript: Path) -> None:
    sessions.leave("d", SESSION, CWD)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: sessions.take("d", CWD), range(50)))
    (left,) = [each for each in taken if each is not None]
    assert left.session_id == SESSION
    sessions.give_back(left)
    assert sessions.take("d", CWD) == left


def test_a_session_in_which_something_was_said_since_is_not_taken(
    sessions: Sessions, transcript: Path
) -> None:
    sessions.leave("d", SESSION, CWD)
    with transcript.open("a") as more:
        more.write("more\n")
    assert sessions.take("d", CWD) is None


def test_a_session_without_a_transcript_is_not_kept(sessions: Sessions) -> None:
    sessions.leave("d", SESSION, CWD)
    assert sessions.take("d", CWD) is None
    assert not sessions.exists(SESSION, CWD)
    assert not sessions.exists("../../x", CWD)


def test_a_long_folder_is_found_by_its_session(
    sessions: Sessions, transcript: Path, tmp_path: Path
) -> None:
    transcript.parent.rename(transcript.parent.parent / "shortened-by-the-cli")
    assert sessions.exists(SESSION, f"/srv/{'x' * 300}")


def test_each_user_sees_their_own_and_the_operator_all(sessions: Sessions) -> None:
    made = sessions.create(A, {"topic": "t"})
    sessions.note(made["id"], A, CWD, "sonnet")
    assert [(row["id"], row["turns"]) for row in sessions.of(A)] == [(made["id"], 1)]
    assert sessions.of(B) == []
    assert sessions.find(made["id"], B) is None
    assert sessions.find("../x", A) is None
    operator = User("admin", "admin", is_operator=True)
    sessions.note(made["id"], operator, CWD, "opus")
    assert [(row["user"], row["turns"]) for row in sessions.of(operator)] == [(A.id, 2)]


@pytest.mark.parametrize(
    "damage", ['{"user": "key:a"}', '{"updated_at": "x"}', "{}", "\0\0", '{"size": "x"}']
)
def test_a_damaged_record_counts_as_missing(
    sessions: Sessions, transcript: Path, tmp_path: Path, damage: str
) -> None:
    made = sessions.create(A, {})
    (tmp_path / "state/conversations" / sessions.create(A, {})["id"]).write_text(damage)
    assert [row["id"] for row in sessions.of(A)] == [made["id"]]
    sessions.leave("d", SESSION, CWD)
    (tmp_path / "state/histories/d").write_text(damage)
    assert sessions.take("d", CWD) is None


def test_a_folder_that_was_removed_is_made_again(
    sessions: Sessions, transcript: Path, tmp_path: Path
) -> None:
    for folder in ("conversations", "histories"):
        (tmp_path / "state" / folder).rmdir()
    assert sessions.of(A) == []
    sessions.leave("d", SESSION, CWD)
    assert sessions.take("d", CWD) is not None
    assert sessions.find(sessions.create(A, {})["id"], A)


def test_what_is_old_is_forgotten(sessions: Sessions, transcript: Path, tmp_path: Path) -> None:
    made = sessions.create(A, {})
    old = time.time() - KEPT - 1
    os.utime(tmp_path / "state/conversations" / made["id"], (old, old))
    sessions.leave("d", SESSION, CWD)
    assert sessions.of(A) == []
    assert sessions.take("d", CWD) is not None


@pytest.mark.parametrize("folder", ["histories", "conversations"])
def test_what_is_in_the_place_of_a_folder_keeps_nothing_from_starting(
    tmp_path: Path, folder: str
) -> None:
    place = tmp_path / "state" / folder
    place.parent.mkdir()
    for put in (place.touch, lambda: os.mkfifo(place), lambda: place.symlink_to("/nowhere")):
        put()
        sessions = Sessions(tmp_path / "state", Transcripts({"HOME": str(tmp_path)}))
        made = sessions.create(A, {})
        assert sessions.of(A)[0]["id"] == made["id"]
        shutil.rmtree(place)
        place.touch()
        assert sessions.take("d", CWD) is None
        sessions.leave("d", SESSION, CWD)
        assert sessions.of(A) == ([] if folder == "conversations" else [made])
        place.unlink(missing_ok=True) if place.is_file() else shutil.rmtree(place)
        shutil.rmtree(tmp_path / "state", ignore_errors=True)
        place.parent.mkdir()
