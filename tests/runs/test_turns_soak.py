"""Five hundred turns of ten kept sessions leave of the gateway what a hundred did."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from app import processes
from app.records.kept_run import kept_runs
from tests.support.cli_watch import CliWatch
from tests.support.gateway import Gateway, Stream, eventually
from tests.support.talk import ASK, answered, question_of, send_message
from tests.support.waiting import Start

SESSIONS = 10
#: Turns of each session until the first look, and until the second.
FIRST, LAST = 10, 50
#: Bytes by which a process may have grown between the looks, by its role.
GROWTH = {"worker": 3 << 20, "launcher": 1 << 19, "supervisor": 1 << 18}
#: What is in the folder of a job whose turn is over.
JOB_FILES = {
    *("job.json", "message", "output", "claim", "span", "ended", "questions", "states", "stderr"),
    *("inbox.closed", "fields", "first_line"),
}


class Level(NamedTuple):
    """What must not grow: memory and descriptors of each process, processes, lists of files."""

    memory: dict[str, int]
    descriptors: dict[str, Counter[str]]
    processes: int
    files: dict[str, int]


class Talker:
    """One session and its client."""

    def __init__(self, gateway: Gateway, number: int) -> None:
        self.id = str(uuid4())
        self._gateway = gateway
        self._random = random.Random(number)  # noqa: S311 - repeatable
        self._notes = gateway.folder / f"notes-{number}"
        self._noted: Counter[str] = Counter()
        self._fields: dict[str, object] = {"new_session_id": self.id}
        self._kinds: list[Callable[[], str]] = [
            *(self._plain, self._message, self._question, self._interrupt, self._hang_up)
        ]
        self.statuses: Counter[str] = Counter()

    def take_turns(self, count: int) -> None:
        """Some turns, one after the other; each is carried out once, and ends as it should."""
        for _ in range(count):
            expected = self._random.choice(self._kinds)()
            record = self._gateway.ask("GET", f"/jobs/{self._job}?wait=20", timeout=30).json()
            assert record["status"] == expected, record
            self.statuses[expected] += 1
        assert Counter(self._notes.read_text().split()) == self._noted

    def _begin(self, *verbs: str) -> Stream:
        stream = self._gateway.chat(
            self._note("turn"), "line begun", *verbs, keep_alive=60, ask=True, **self._fields
        )
        self._fields = {"session_id": self.id}
        self._job = stream.job_id
        assert b"begun" in (event.data for event in stream)
        return stream

    def _note(self, what: str) -> str:
        word = f"{what}-{self._noted.total()}"
        self._noted[word] += 1
        return f"note {self._notes} {word}"

    def _plain(self) -> str:
        self._begin("line after").messages()
        return "succeeded"

    def _message(self) -> str:
        gate = self._notes.with_name(f"gate-{self.id}-{self._noted.total()}")
        stream = self._begin(f"await {gate}", "line after")
        for _ in range(self._random.randrange(1, 4)):
            assert send_message(self._gateway, self._job, self._note("said")).status_code == 202
        gate.touch()
        stream.messages()
        return "succeeded"

    def _question(self) -> str:
        stream = self._begin(ASK, "line after")
        behavior = self._random.choice(["allow", "deny"])
        question = question_of(self._gateway, self._job)
        assert answered(self._gateway, question, behavior).status_code == 200
        stream.messages()
        return "succeeded"

    def _interrupt(self) -> str:
        stream = self._begin(self._random.choice(["silent", ASK]))
        assert self._gateway.ask("POST", f"/jobs/{self._job}/interrupt").status_code == 202
        stream.messages()
        return "cancelled"

    def _hang_up(self) -> str:
        self._begin(self._random.choice(["silent", ASK])).close()
        return "cancelled"


@pytest.mark.alone
@pytest.mark.timeout(180)
def test_what_turns_use_is_given_back(start_gateway: Start) -> None:
    gateway = start_gateway(LOG_LEVEL="WARNING")
    eventually(lambda: "turns" in (gateway.ask("GET", "/health").json()["capabilities"] or []))
    talkers = [Talker(gateway, number) for number in range(SESSIONS)]
    with (
        CliWatch({talker.id for talker in talkers}),
        ThreadPoolExecutor(SESSIONS) as pool,
    ):
        list(pool.map(lambda talker: talker.take_turns(FIRST), talkers))
        before = look(gateway)
        runs = {run.id for run in kept_runs(str(gateway.state))}
        list(pool.map(lambda talker: talker.take_turns(LAST - FIRST), talkers))
        after = look(gateway)
    assert len(runs) == SESSIONS
    # Each session had one process all the time.
    assert {run.id for run in kept_runs(str(gateway.state))} == runs
    assert sum((talker.statuses for talker in talkers), Counter()).total() == SESSIONS * LAST
    assert after.files == before.files
    # Workers use the index of jobs from time to time.
    eventually(lambda: has_no_more_open(look(gateway), before), lambda: f"{before} {after}")
    assert after.processes == before.processes
    for name, size in after.memory.items():
        grown = size - before.memory[name]
        assert grown < GROWTH[name.split()[0]], (name, size, grown)
    for job in (gateway.state / "jobs").iterdir():
        assert {path.name for path in job.iterdir()} <= JOB_FILES, list(job.iterdir())


def look(gateway: Gateway) -> Level:
    """Look at the gateway, once all runs are idle and all ends are in the index."""
    state = gateway.state
    gateway.close_streams()
    eventually(lambda: not connections(gateway.port))
    eventually(lambda: [run.state for run in kept_runs(str(state))] == ["idle"] * SESSIONS)
    eventually(lambda: not any((state / "unindexed").iterdir()))
    roles = {f"worker {number}": pid for number, pid in enumerate(sorted(gateway.workers()))}
    roles["launcher"] = gateway.launcher()
    for run in kept_runs(str(state)):
        roles[f"supervisor {run.id}"] = run.supervisor.pid
    assert gateway.process is not None
    lists = (path for path in state.iterdir() if path.name not in ("jobs", "runs"))
    return Level(
        {role: share_of_memory(pid) for role, pid in roles.items()},
        {role: open_files(pid) for role, pid in roles.items()},
        len(processes.descendants(gateway.process.pid)),
        {path.name: sum(1 for _ in path.rglob("*")) for path in lists},
    )


def has_no_more_open(after: Level, before: Level) -> bool:
    """Whether no process has a file open that it had not before."""
    return all(after.descriptors[role] <= before.descriptors[role] for role in after.descriptors)


def share_of_memory(pid: int) -> int:
    """Bytes of memory of a process, with its share of what it shares."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    (line,) = (each for each in rollup if each.startswith("Pss:"))
    return int(line.split()[1]) << 10


def open_files(pid: int) -> Counter[str]:
    """What a process has open: the names of files, and kinds of sockets and pipes."""
    found: Counter[str] = Counter()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # It may have been closed meanwhile.
        with suppress(OSError):
            found[link.readlink().name.partition("[")[0]] += 1
    return found


def connections(port: int) -> list[str]:
    """The connections of clients that a worker has open (established, or half-closed)."""
    rows = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    local = f":{port:04X}"
    return [
        row for row in rows if row.split()[1].endswith(local) and row.split()[3] in ("01", "08")
    ]
