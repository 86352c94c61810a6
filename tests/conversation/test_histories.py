"""The histories and conversations on disk, and the sessions that continue them."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.auth.users import User
from app.cli.open_sessions import OpenSessions
from app.cli.transcripts import Transcripts
from app.conversation.conversations import Conversations
from app.conversation.histories import KEPT, Fork, Histories
from app.processes import this_process
from app.records import kept_run
from app.records.kept_run import KeptRun
from app.state.files import make_folder
from tests.support.open_session import open_in_terminal

SESSION = "54eb236b-b0ff-442a-9ae3-2e06374f0602"
CWD = "/srv/a project.x"
SAID_ID = "0e6ff1f5-8bd7-4b9f-9d8c-6a0cf8f5a0f1"
SAID = f'{{"type":"user","uuid":"u"}}\n{{"type":"assistant","uuid":"{SAID_ID}","parentUuid":"u"}}\n'
A, B = User("key:a", "a"), User("key:b", "b", shares=True)


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    """The CLI's transcript of SESSION in CWD."""
    file = tmp_path / ".claude/projects/-srv-a-project-x" / f"{SESSION}.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(SAID, encoding="ascii")
    return file


def _histories(tmp_path: Path) -> Histories:
    environment = {"HOME": str(tmp_path)}
    return Histories(tmp_path / "state", Transcripts(environment), OpenSessions(environment))


@pytest.fixture
def histories(tmp_path: Path) -> Histories:
    """The histories of a state folder of the test's own."""
    return _histories(tmp_path)


@pytest.fixture
def conversations(tmp_path: Path) -> Conversations:
    """The conversations of the same folder."""
    return Conversations(tmp_path / "state")


def test_a_history_is_taken_once(tmp_path: Path, transcript: Path) -> None:
    workers = [_histories(tmp_path) for _ in range(2)]
    workers[0].record("d", SESSION, CWD)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda n: workers[n % 2].claim("d", CWD, ""), range(50)))
    (left,) = [each for each in taken if each is not None]
    assert left.session_id == SESSION
    workers[1].unclaim(left)
    assert workers[0].claim("d", CWD, "") == left


def test_a_history_that_is_taken_can_be_forked(histories: Histories, transcript: Path) -> None:
    histories.record("d", SESSION, CWD)
    assert histories.fork("d", CWD) == Fork(SESSION, SAID_ID, is_side=True)
    assert histories.claim("d", CWD, "")
    assert histories.fork("d", CWD) == Fork(SESSION, SAID_ID, is_side=False)
    with transcript.open("a") as more:
        more.write(f'{{"type":"user","uuid":"v","parentUuid":"{SAID_ID}"}}\n')
        # It is still being written.
        more.write('{"type":"user","uuid":"w","pare')
    assert histories.fork("d", CWD) == Fork(SESSION, SAID_ID, is_side=False)
    transcript.unlink()
    assert histories.fork("d", CWD) is None


def test_a_request_in_another_manner_takes_no_session(
    histories: Histories, transcript: Path
) -> None:
    histories.record("d", SESSION, CWD, manner="streamed")
    assert histories.claim("d", CWD, "") is None
    assert histories.claim("d", CWD, "streamed")
    histories.record("d", SESSION, CWD, manner="streamed")
    # The CLI cannot fork.
    assert histories.claim("d", CWD, None)


def test_a_session_that_has_gone_on_since_is_not_taken(
    histories: Histories, transcript: Path
) -> None:
    histories.record("d", SESSION, CWD)
    with transcript.open("a") as more:
        more.write("more\n")
    assert histories.claim("d", CWD, "") is None


@pytest.mark.parametrize(
    ("added", "is_taken"),
    [
        ("", True),
        ('{"type":"last-prompt"}\n{"type":"cost-state","n":1}\n', True),
        ('{"type":"last-prompt"}\n{"type":"user","uuid":"u"}\n', False),
        ('{"type":"attachment","uuid":"x","parentUuid":"u"}\n', True),
        ('{"type":"last-prompt"}', False),
        ("[]\n", False),
        ("\n", False),
        (f'{{"type":"{"x" * (1 << 18)}"}}\n', False),
    ],
)
def test_what_the_cli_notes_at_its_exit_is_no_message(
    histories: Histories, transcript: Path, added: str, is_taken: bool
) -> None:
    histories.record("d", SESSION, CWD)
    with transcript.open("a") as more:
        more.write(added)
    assert (histories.claim("d", CWD, "") is not None) is is_taken


def test_a_session_that_a_terminal_has_open_is_not_taken(
    histories: Histories, transcript: Path, tmp_path: Path
) -> None:
    histories.record("d", SESSION, CWD)
    open_in_terminal(tmp_path, SESSION)
    assert histories.claim("d", CWD, "") is None


def test_a_session_whose_transcript_was_cut_is_not_taken(
    histories: Histories, transcript: Path
) -> None:
    histories.record("d", SESSION, CWD)
    transcript.write_text("s\n", encoding="ascii")
    assert histories.claim("d", CWD, "") is None


@pytest.mark.parametrize(
    ("jobs", "own_turns", "is_taken"), [(2, 1, True), (2, 0, False), (3, 1, False)]
)
def test_turns_of_a_kept_runs_own_do_not_take_its_session_away(
    histories: Histories,
    transcript: Path,
    tmp_path: Path,
    jobs: int,
    own_turns: int,
    is_taken: bool,
) -> None:
    state, run = str(tmp_path / "state"), "c57ed2ea-8df2-48f9-b325-0fe5770aed00"
    kept = KeptRun(run, this_process(), "idle", SESSION, CWD, None, "", 2, None, 0)
    make_folder(f"{state}/kept")
    kept_run.write(state, kept)
    histories.record("d", SESSION, CWD, run)
    with transcript.open("a") as more:
        more.write('{"type":"user","uuid":"u"}\n')
    kept_run.write(state, kept._replace(jobs=jobs, own_turns=own_turns))
    assert (histories.claim("d", CWD, "") is not None) is is_taken


def test_a_session_without_a_transcript_is_not_kept(histories: Histories) -> None:
    histories.record("d", SESSION, CWD)
    assert histories.claim("d", CWD, "") is None
    assert not histories.has_transcript(SESSION, CWD)
    assert not histories.has_transcript("../../x", CWD)


def test_a_long_folder_is_found_by_its_session(
    histories: Histories, transcript: Path, tmp_path: Path
) -> None:
    transcript.parent.rename(transcript.parent.parent / "shortened-by-the-cli")
    assert histories.has_transcript(SESSION, f"/srv/{'x' * 300}")


def test_each_user_sees_their_own_and_the_operator_all(conversations: Conversations) -> None:
    made = conversations.create(A, {"topic": "t"})
    conversations.record_turn(made.id, A, CWD, "sonnet")
    assert [(row.id, row.turns) for row in conversations.of(A)] == [(made.id, 1)]
    assert conversations.of(B) == []
    assert conversations.find(made.id, B) is None
    assert conversations.find("../x", A) is None
    operator = User("admin", "admin", is_operator=True)
    conversations.record_turn(made.id, operator, CWD, "opus")
    assert [(row.user, row.turns) for row in conversations.of(operator)] == [(A.id, 2)]


@pytest.mark.parametrize(
    "damage", ['{"user": "key:a"}', '{"updated_at": "x"}', "{}", "\0\0", '{"size": "x"}']
)
def test_a_damaged_record_counts_as_missing(
    histories: Histories,
    conversations: Conversations,
    transcript: Path,
    tmp_path: Path,
    damage: str,
) -> None:
    made = conversations.create(A, {})
    (tmp_path / "state/conversations" / conversations.create(A, {}).id).write_text(damage)
    assert [row.id for row in conversations.of(A)] == [made.id]
    histories.record("d", SESSION, CWD)
    (tmp_path / "state/histories/d").write_text(damage)
    assert histories.claim("d", CWD, "") is None


def test_a_folder_that_was_removed_is_made_again(
    histories: Histories, conversations: Conversations, transcript: Path, tmp_path: Path
) -> None:
    for folder in ("conversations", "histories"):
        (tmp_path / "state" / folder).rmdir()
    assert conversations.of(A) == []
    histories.record("d", SESSION, CWD)
    assert histories.claim("d", CWD, "") is not None
    assert conversations.find(conversations.create(A, {}).id, A)


def test_what_is_old_is_forgotten(
    histories: Histories, conversations: Conversations, transcript: Path, tmp_path: Path
) -> None:
    old = time.time() - KEPT - 1
    made, recent = conversations.create(A, {}), conversations.create(A, {})
    os.utime(tmp_path / "state/conversations" / made.id, (old, old))
    conversations.record_turn(recent.id, A, CWD, None)
    assert [row.id for row in conversations.of(A)] == [recent.id]
    histories.record("old", SESSION, CWD)
    for file in (tmp_path / "state/histories").iterdir():
        os.utime(file, (old, old))
    histories = _histories(tmp_path)
    histories.record("d", SESSION, CWD)
    assert histories.claim("old", CWD, "") is None
    assert histories.claim("d", CWD, "") is not None


@pytest.mark.parametrize("folder", ["histories", "conversations"])
def test_what_is_in_the_place_of_a_folder_keeps_nothing_from_starting(
    tmp_path: Path, folder: str
) -> None:
    place = tmp_path / "state" / folder
    place.parent.mkdir()
    for put in (place.touch, lambda: os.mkfifo(place), lambda: place.symlink_to("/nowhere")):
        put()
        histories = _histories(tmp_path)
        conversations = Conversations(tmp_path / "state")
        made = conversations.create(A, {})
        assert conversations.of(A)[0].id == made.id
        shutil.rmtree(place)
        place.touch()
        assert histories.claim("d", CWD, "") is None
        histories.record("d", SESSION, CWD)
        assert conversations.of(A) == ([] if folder == "conversations" else [made])
        place.unlink(missing_ok=True) if place.is_file() else shutil.rmtree(place)
        shutil.rmtree(tmp_path / "state", ignore_errors=True)
        place.parent.mkdir()
