"""The list of sessions, made of jobs and of transcripts that jobs may have written."""

import os
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.auth.users import User, Users, UsersRecord
from app.cli.open_sessions import OpenSessions
from app.cli.transcript_files import TranscriptFiles
from app.cli.transcript_summary import summary_of
from app.cli.transcripts import Transcripts
from app.errors import SessionNotFound
from app.jobs import session_list, session_totals, session_transcripts
from app.jobs.index import JobIndex
from app.jobs.session_list import SessionList, Wanted
from app.jobs.session_totals import SessionPlace
from app.jobs.session_transcripts import SessionTranscripts
from app.jobs.sessions import Sessions
from app.jobs.store import Spool
from app.records.job import Job
from tests.support.ended_jobs import end_job, fill
from tests.support.transcripts import line, prompt, write_transcript

OPERATOR = User("op", "admin", is_operator=True)
ALICE, BOB = User("alice", "alice"), User("bob", "bob")
SESSIONS = [f"{number:08}-0000-4000-8000-000000000000" for number in range(100)]
START = 1.7e9


class Machine:
    """A state folder, its index, and the home of a CLI."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.spool = Spool(folder / "state")
        self.spool.prepare()
        self.index = JobIndex(self.spool.state)
        users = Users(OPERATOR, ((("a",), ALICE), (("b",), BOB)), UsersRecord("op", {}))
        environment = {"HOME": str(self.home)}
        owners = Sessions(self.spool, Transcripts(environment), OpenSessions(environment))
        self.transcripts = SessionTranscripts(environment)
        self.sessions = SessionList(self.spool, self.index, users, owners, self.transcripts)

    def job(
        self, session: str, at: float = 0, user: User = ALICE, cost: float = 0.5, **fields: Any
    ) -> Job:
        """A job that has ended, `at` seconds after START."""
        result = {"total_cost_usd": cost, "modelUsage": {}}
        job = end_job(
            self.spool,
            user=user.id,
            session_id=session,
            started=START + at,
            result=result,
            is_logged=fields.pop("is_logged", True),
            **fields,
        )
        os.utime(f"{job.path}/ended", (START + at, START + at))
        return job

    def transcript(self, session: str, *lines: str, at: float = 0, cwd: object = "/") -> Path:
        return write_transcript(self.home, cwd, session, *lines, changed=START + at)

    def saved(self, session: str, at: float = 0, user: User = ALICE, **fields: Any) -> Job:
        """A job with the transcript of its session."""
        self.transcript(session, prompt("A prompt"), at=at)
        return self.job(session, at, user, **fields)

    def all(self, user: User = ALICE, limit: int = 100, **wanted: Any) -> list[dict[str, Any]]:
        """The rows of all pages."""
        rows: list[dict[str, Any]] = []
        place: SessionPlace | None = None
        while True:
            found, place = self.sessions.rows(user, Wanted(**wanted), limit, place)
            assert len(found) <= limit
            rows += found
            if place is None:
                return rows

    def ids(self, user: User = ALICE, limit: int = 100, **wanted: Any) -> list[int]:
        """The numbers of the sessions in the list."""
        return [SESSIONS.index(row["session_id"]) for row in self.all(user, limit, **wanted)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(params=["indexed", "not indexed", "no index"])
def any_index(request: pytest.FixtureRequest, machine: Machine) -> Machine:
    """A machine with ten sessions, whose jobs are in the index, or not yet, or there is none."""
    is_logged = request.param == "indexed"
    for number in range(10):
        machine.saved(SESSIONS[number], at=number, is_logged=is_logged, title=f"Job {number}")
    machine.job(SESSIONS[3], at=20, cost=0.25, cwd="/tmp", is_logged=is_logged)  # noqa: S108
    if request.param != "no index":
        fill(machine.spool, machine.index)
    return machine


def test_the_session_used_last_comes_first(any_index: Machine) -> None:
    machine = any_index
    assert machine.ids() == [3, 9, 8, 7, 6, 5, 4, 2, 1, 0]
    for limit in (1, 3, 10):
        assert machine.ids(limit=limit) == machine.ids()
    first = machine.all(limit=1)[0]
    assert first == {
        "session_id": SESSIONS[3],
        "title": "A prompt",
        "cwd": "/tmp",  # noqa: S108
        "turns": 1,
        "cost_usd": 0.75,
        "last_used": "2023-11-14T22:13:40.000Z",
        "origin": "gateway",
        "user": "alice",
        "running_job": None,
    }
    assert machine.ids(BOB) == []
    assert machine.ids(OPERATOR) == machine.ids()


def test_a_session_has_its_newest_jobs(any_index: Machine) -> None:
    machine = any_index
    newest, older = machine.sessions.jobs(ALICE, SESSIONS[3])
    for job_id, started in ((newest, START + 20), (older, START + 3)):
        job = machine.spool.job(job_id)
        assert job is not None
        assert os.stat(f"{job.path}/job.json").st_mtime == started  # noqa: PTH116
    assert machine.sessions.jobs(BOB, SESSIONS[3]) == []
    row, file = machine.sessions.one(ALICE, SESSIONS[3])
    assert row == machine.all(limit=1)[0]
    assert len(machine.sessions.page(file, None, 10, False)[0]) == 1
    with pytest.raises(SessionNotFound):
        machine.sessions.one(BOB, SESSIONS[3])


def test_sessions_are_found_by_folder_title_and_origin(machine: Machine, tmp_path: Path) -> None:
    machine.transcript(SESSIONS[0], prompt("Tidy the ATTIC"), at=1, cwd=tmp_path)
    machine.job(SESSIONS[0], at=1, cwd=str(tmp_path))
    machine.saved(SESSIONS[1], at=2)
    machine.transcript(SESSIONS[2], prompt("The attic again", tmp_path), at=3, cwd=tmp_path)
    fill(machine.spool, machine.index)
    assert machine.ids(text="attic") == [0]
    assert machine.ids(OPERATOR, text="attic") == [2, 0]
    assert machine.ids(OPERATOR, cwd=f"{tmp_path}/") == [2, 0]
    assert machine.ids(OPERATOR, cwd="/") == [1]
    assert machine.ids(OPERATOR, origin="gateway") == [1, 0]
    assert machine.ids(OPERATOR, origin="terminal") == [2]
    assert machine.ids(text="no such title") == []


def test_sessions_of_terminals_are_the_operators(machine: Machine) -> None:
    machine.saved(SESSIONS[0], at=5)
    cost = line("cost-state", totalCostUSD=1.5)
    machine.transcript(SESSIONS[1], prompt("In a terminal", "/srv"), cost, at=6)
    # One that the operator has continued has no user, either.
    machine.transcript(SESSIONS[2], prompt("Continued"), at=4)
    job = machine.job(SESSIONS[2], at=7, user=OPERATOR)
    (machine.spool.job(job.id) or job).finish()
    os.unlink(f"{machine.spool.state}/sessions/{SESSIONS[2]}")  # noqa: PTH108
    assert machine.ids(OPERATOR) == machine.ids(OPERATOR, limit=1) == [2, 1, 0]
    fill(machine.spool, machine.index)
    shared = BOB._replace(shares=True)
    for user, shown in ((OPERATOR, [2, 1, 0]), (ALICE, [0]), (BOB, []), (shared, [0])):
        assert machine.ids(user) == machine.ids(user, limit=1) == shown
    second = machine.all(OPERATOR)[1]
    assert (second["origin"], second["user"]) == ("terminal", None)
    assert (second["title"], second["cwd"], second["turns"]) == ("In a terminal", "/srv", 1)
    assert (second["cost_usd"], second["last_used"]) == (1.5, "2023-11-14T22:13:26.000Z")
    for user in (ALICE, shared):
        with pytest.raises(SessionNotFound):
            machine.sessions.one(user, SESSIONS[1])
    assert machine.sessions.one(OPERATOR, SESSIONS[1])[0] == second


def test_a_session_that_was_not_saved_is_not_listed(machine: Machine) -> None:
    machine.job(SESSIONS[0], at=1)
    # Nothing is known as long as the CLI has no transcripts.
    fill(machine.spool, machine.index)
    assert machine.ids() == [0]
    machine.saved(SESSIONS[1], at=2, is_logged=False)
    machine.transcripts._scanned = (0.0, None)
    assert machine.ids() == [1]
    # Its jobs are still there.
    row, file = machine.sessions.one(ALICE, SESSIONS[0])
    assert (row["title"], row["turns"], file) == (None, 1, None)
    assert machine.sessions.page(file, None, 10, False) == ([], None)
    assert len(machine.sessions.jobs(ALICE, SESSIONS[0])) == 1


def test_a_transcript_that_is_newer_than_the_last_scan_is_found(machine: Machine) -> None:
    machine.saved(SESSIONS[0], at=1, is_logged=False)
    assert machine.ids() == [0]
    machine.saved(SESSIONS[1], at=2, is_logged=False)
    assert machine.ids() == [1, 0]


def test_subagents_and_empty_transcripts_are_no_sessions(machine: Machine) -> None:
    machine.transcript(SESSIONS[0], prompt("Look around", isSidechain=True))
    machine.transcript(SESSIONS[1], line("permission-mode", mode="default"))
    machine.transcript(SESSIONS[2])
    machine.transcript("agent-12345678", prompt("Look around"))
    folder = machine.transcript(SESSIONS[3], prompt("A session")).parent
    (folder / SESSIONS[3] / "subagents").mkdir(parents=True)
    (folder / SESSIONS[3] / f"subagents/{SESSIONS[4]}.jsonl").write_text(prompt("Look around"))
    assert machine.ids(OPERATOR) == [3]


def test_a_job_that_prints_another_users_session_gets_nothing_of_it(machine: Machine) -> None:
    machine.saved(SESSIONS[0], at=1)
    machine.job(SESSIONS[0], at=2, user=BOB, cost=100.0)
    fill(machine.spool, machine.index)
    assert machine.ids(BOB) == []
    with pytest.raises(SessionNotFound):
        machine.sessions.one(BOB, SESSIONS[0])
    assert [row["cost_usd"] for row in machine.all(ALICE)] == [0.5]
    assert [row["user"] for row in machine.all(OPERATOR)] == ["alice"]
    assert len(machine.sessions.jobs(ALICE, SESSIONS[0])) == 1


@pytest.mark.parametrize("session", ["", "x" * 36, "../../../etc/passwd", "a\0b", "\ud800" * 36])
def test_a_session_id_that_is_none_is_not_listed(machine: Machine, session: str) -> None:
    machine.job(session, at=1)
    machine.saved(SESSIONS[0], at=0)
    fill(machine.spool, machine.index)
    assert machine.ids(OPERATOR) == machine.ids(ALICE) == [0]
    with pytest.raises(SessionNotFound):
        machine.sessions.one(OPERATOR, session)


def test_links_and_pipes_among_the_transcripts_are_not_read(
    machine: Machine, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for number in range(4):
        (outside / f"{SESSIONS[number]}.jsonl").write_text(prompt("Secret"))
    projects = machine.home / ".claude/projects"
    (projects / "-").mkdir(parents=True)
    (projects / "link").symlink_to(outside)
    (projects / "file").touch()
    os.mkfifo(projects / "pipe")
    (projects / f"-/{SESSIONS[0]}.jsonl").symlink_to(outside / f"{SESSIONS[0]}.jsonl")
    os.mkfifo(projects / f"-/{SESSIONS[1]}.jsonl")
    (projects / f"-/{SESSIONS[2]}.jsonl").mkdir()
    for number in range(3):
        machine.job(SESSIONS[number])
        row, file = machine.sessions.one(ALICE, SESSIONS[number])
        assert (row["title"], file) == (None, None)
    assert machine.ids(OPERATOR) == []
    # One that becomes a link between the scan and the look is not followed, either.
    path = machine.transcript(SESSIONS[4], prompt("A session"))
    file = TranscriptFiles({"HOME": str(machine.home)}).find(SESSIONS[4])
    assert file is not None
    path.unlink()
    path.symlink_to(outside / f"{SESSIONS[0]}.jsonl")
    assert machine.transcripts.summaries([file]) == {}
    assert machine.transcripts.page(file, None, 10, False) == ([], None)


def test_costs_and_times_of_a_hostile_record_do_no_harm(machine: Machine) -> None:
    for at, cost in enumerate((1e300, 1e300, -1e300, float(1 << 62))):
        machine.saved(SESSIONS[0], at=at, cost=cost)
    for number, moment in ((1, 1e18), (2, -1e9)):
        job = machine.saved(SESSIONS[number])
        os.utime(f"{job.path}/ended", (moment, moment))
    fill(machine.spool, machine.index)
    rows = {SESSIONS.index(row["session_id"]): row for row in machine.all()}
    assert set(rows) == {0, 1, 2}
    assert rows[2]["last_used"] == "1970-01-01T00:00:00.000Z"
    assert machine.index.check()


def test_a_summary_is_read_again_only_when_the_transcript_has_changed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []

    def counted(head: bytes, tail: bytes | None) -> object:
        read.append(head)
        return summary_of(head, tail)

    monkeypatch.setattr(session_transcripts, "summary_of", counted)
    monkeypatch.setattr(session_transcripts, "_FRESH", 0.0)
    path = machine.transcript(SESSIONS[0], prompt("First"))
    titles = [machine.all(OPERATOR)[0]["title"] for _ in range(3)]
    with path.open("a") as more:
        more.write(line("custom-title", customTitle="Renamed"))
    titles.append(machine.all(OPERATOR)[0]["title"])
    assert titles == ["First", "First", "First", "Renamed"]
    assert len(read) == 2
    monkeypatch.setattr(session_transcripts, "_MOST_CACHED", 3)
    for number in range(1, 20):
        machine.transcript(SESSIONS[number], prompt("x"), at=number)
        machine.all(OPERATOR, limit=1)
    assert len(machine.transcripts._summaries) <= 13


def test_a_page_looks_at_a_bounded_number_of_transcripts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_list, "_PORTION", 10)
    monkeypatch.setattr(session_list, "_MOST_LOOKED_AT", 20)
    monkeypatch.setattr(session_totals, "_PAGE", 7)
    monkeypatch.setattr(session_totals, "_LATER_PAGE", 9)
    for number in range(100):
        machine.saved(SESSIONS[number], at=number)
    machine.transcript(SESSIONS[0], prompt("The needle"))
    fill(machine.spool, machine.index)
    rows, place = machine.sessions.rows(ALICE, Wanted(text="needle"), 5, None)
    assert rows == [] and place == SessionPlace(START + 80, SESSIONS[80])
    assert machine.ids(text="needle") == [0]
    assert machine.ids() == [*range(99, -1, -1)]


def test_many_sessions_are_listed_at_once(machine: Machine) -> None:
    """A page costs a look at the status of each transcript, and the ends of 50."""
    machine.saved(SESSIONS[0], at=1)
    fill(machine.spool, machine.index)
    folder = machine.transcript(SESSIONS[1], prompt("x"), at=2).parent
    for _ in range(2000):
        os.link(folder / f"{SESSIONS[1]}.jsonl", folder / f"{uuid4()}.jsonl")
    started = time.process_time()
    rows, place = machine.sessions.rows(OPERATOR, Wanted(), 50, None)
    assert time.process_time() - started < 2
    assert len(rows) == 50 and place is not None
