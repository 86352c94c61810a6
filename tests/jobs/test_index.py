"""The index of jobs: it gives the same results as the folders, whatever a job does to it."""

import itertools
import os
import random
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.jobs.index import IndexUnusable, JobIndex
from app.jobs.index_entry import Amounts, Entry, Group, entry_of
from app.jobs.index_tables import Filter
from app.jobs.index_upkeep import IndexUpkeep
from app.jobs.listing import newest
from app.jobs.retention import remove_old
from app.jobs.statistics import Statistics
from app.jobs.store import Position, Spool, position_of
from app.records.job import Job
from app.state.stamp import write_stamp
from tests.support.ended_jobs import end_job, fill
from tests.support.gateway import Gateway, eventually

Start = Callable[..., Gateway]

#: What a job may do to the index, as shell commands in its folder.
DEEDS = {
    "remove it": "rm jobs.sqlite",
    "remove the stamp": "rm stamp",
    "remove the folder": "rm -rf ../index",
    "cut it off": "truncate -s 5000 jobs.sqlite",
    "empty it": ": > jobs.sqlite",
    "zeros": "head -c 100000 /dev/zero > jobs.sqlite",
    "rubbish": "head -c 100000 /dev/urandom > jobs.sqlite",
    "rubbish in the middle": (
        "dd if=/dev/urandom of=jobs.sqlite bs=1 seek=9000 count=200 conv=notrunc 2>&1"
    ),
    "a huge hole": "truncate -s 300G jobs.sqlite",
    "a pipe": "rm jobs.sqlite; mkfifo jobs.sqlite",
    "a folder": "rm jobs.sqlite; mkdir -p jobs.sqlite/x",
    "a link": "mv jobs.sqlite ../elsewhere; ln -s ../elsewhere jobs.sqlite",
    "a link to nothing": "rm jobs.sqlite; ln -s /nowhere jobs.sqlite",
    "no rights": "chmod 000 jobs.sqlite",
    "a pipe for the folder": "cd ..; rm -rf index; mkfifo index",
    "a link for the folder": "cd ..; mv index other; ln -s other index",
    "a pipe for the stamp": "rm stamp; mkfifo stamp",
    "rubbish for the stamp": "head -c 256 /dev/urandom > stamp",
    "a journal that is a pipe": "mkfifo jobs.sqlite-journal",
    "another database": (
        "rm jobs.sqlite; python3 -c 'import sqlite3;"
        ' sqlite3.connect("jobs.sqlite").execute("create table jobs (id)")\''
    ),
}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path)
    made.prepare()
    return made


def random_jobs(spool: Spool, count: int, seed: int) -> list[Job]:
    """Jobs of a few users, folders, titles and ends; some started at the same time."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    return [
        end_job(
            spool,
            started=1.7e9 + chance.randrange(count),
            status=chance.choice(["succeeded", "failed", "cancelled", "lost"]),
            user=chance.choice(["me", "you", "ü\ud800"]),
            cwd=chance.choice(["/", "/srv/\udcff", "/srv/b"]),
            model=chance.choice([None, "opus", "sonnet"]),
            title=chance.choice([None, "100% done_", "Another TITLE"]),
            session_id=chance.choice([None, "s1", "s2"]),
            ended_at=chance.choice(["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"]),
            result={"total_cost_usd": chance.random(), "usage": {"input_tokens": 7}},
            is_logged=chance.random() < 0.9,
        )
        for _ in range(count)
    ]


class Facts:
    """The jobs of a spool by their records, the newest first."""

    def __init__(self, spool: Spool) -> None:
        self._jobs = [(job, job.request(), job.end()) for job in spool.newest(None)]

    def fitting(self, wanted: Filter, before: Position | None) -> list[str]:
        """The jobs that fit a filter, before a position."""
        return [
            job.id
            for job, request, end in self._jobs
            if request is not None
            and end is not None
            and (before is None or (position_of(job) or before) < before)
            and (not wanted.statuses or end.status in wanted.statuses)
            and wanted.user in (None, request.user)
            and wanted.session in (None, end.session_id)
            and wanted.cwd in (None, request.cwd)
            and (wanted.text or "").lower() in (request.title or "").lower()
        ]


def listed(spool: Spool, index: JobIndex) -> list[str]:
    return [job.id for job in newest(spool, index, Filter(), None)]


FILTERS = [
    Filter(*values)
    for values in itertools.product(
        ((), ("failed",), ("lost", "timed_out")),
        (None, "me", "ü\ud800"), (None, "s1"), (None, "/srv/\udcff"),
        (None, "0% d", "title", "_"),
    )
]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_the_index_answers_as_the_folders_do(spool: Spool, seed: int) -> None:
    jobs = random_jobs(spool, 100, seed)
    none, index = JobIndex(str(Path(spool.state, "nowhere"))), JobIndex(spool.state)
    fill(spool, index)
    facts = Facts(spool)
    for before in (None, position_of(jobs[seed])):
        expected = facts.fitting(Filter(), before)
        assert [job.id for job in newest(spool, none, Filter(), before)] == expected
        for wanted in FILTERS:
            fitting = facts.fitting(wanted, before)
            assert [each.id for each in index.newest(wanted, before, 500)] == fitting
            # A listing has the jobs that may not be in the index, whatever the filter is.
            candidates = [job.id for job in newest(spool, index, wanted, before)]
            assert [job_id for job_id in candidates if job_id in set(fitting)] == fitting
    for may_see in (bool, {"me"}.__contains__):
        by_index = Statistics(spool, index).sums(may_see, plain)
        assert by_index == Statistics(spool, none).sums(may_see, plain)


def plain(user: str) -> str:
    return user.encode(errors="replace").decode()


def test_the_pages_of_a_listing_contain_all_jobs(spool: Spool) -> None:
    random_jobs(spool, 130, 1)
    index = JobIndex(spool.state)
    fill(spool, index)
    jobs = iter(newest(spool, index, Filter(), None))
    pages, before = [], None
    while page := list(itertools.islice(newest(spool, index, Filter(), before), 7)):
        pages += page
        before = position_of(page[-1])
    assert [job.id for job in pages] == [job.id for job in jobs]
    assert len(pages) == 130


def test_a_job_that_ended_just_now_is_listed_and_counted_once(spool: Spool) -> None:
    index = JobIndex(spool.state)
    fill(spool, index)
    upkeep, statistics = IndexUpkeep(spool, index), Statistics(spool, index)

    def seen() -> tuple[list[str], int]:
        sums = statistics.sums(lambda _: True, str)["jobs"]
        return listed(spool, index), sums.get("succeeded", 0)

    job = end_job(spool)
    assert seen() == ([job.id], 1)
    assert job.links.take_unlogged()
    assert not job.links.take_unlogged()
    assert Path(job.links.unindexed).exists()
    assert seen() == ([job.id], 1)
    entry = entry_of(job)
    assert entry is not None
    index.add([entry])
    assert seen() == ([job.id], 1)
    upkeep.note(entry)
    upkeep.write_noted()
    assert not Path(job.links.unindexed).exists()
    assert seen() == ([job.id], 1)
    spool.remove(job)
    index.remove([job.id])
    assert seen() == ([], 0)


def test_an_end_whose_worker_died_is_added_by_the_keeper(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = JobIndex(spool.state)
    upkeep = IndexUpkeep(spool, index)
    fill(spool, index)
    job = end_job(spool)
    job.links.take_unlogged()
    monkeypatch.setattr("app.jobs.index_upkeep._LEFT_AFTER", -1.0)
    eventually(lambda: not upkeep.step() and not Path(job.links.unindexed).exists())
    assert [each.id for each in index.newest(Filter(), None, 10)] == [job.id]


def test_a_removed_job_counts_no_more(spool: Spool) -> None:
    result = {"total_cost_usd": 0.25, "usage": {"input_tokens": 3}}
    jobs = [end_job(spool, result=result, user="you", model="opus") for _ in range(3)]
    index = JobIndex(spool.state)
    fill(spool, index)
    entry = entry_of(jobs[0])
    assert entry is not None
    spool.remove(jobs[0])
    for _ in range(2):
        index.remove([jobs[0].id])
    # Another worker adds it too late.
    index.add([entry])
    # Removed by hand: the keeper notices.
    subprocess.run(["rm", "-r", jobs[1].path], check=True)
    fill(spool, index)
    assert index.sums([])[0] == {
        Group("2026-03-01", "you", "opus", "succeeded"): Amounts(1, 250_000_000, 3, 0, 0, 0, 500)
    }
    index.remove([jobs[2].id])
    assert index.sums([])[0] == {}


def test_an_index_of_an_earlier_version_is_replaced(spool: Spool) -> None:
    job = end_job(spool)
    index = JobIndex(spool.state)
    fill(spool, index)
    path = f"{spool.state}/index/jobs.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 1")
    database.close()
    write_stamp(f"{spool.state}/index/stamp", path, is_complete=True)
    with pytest.raises(IndexUnusable, match="version 1"):
        index.sums([])
    fill(spool, index)
    assert [each.id for each in index.newest(Filter(), None, 10)] == [job.id]


def test_nothing_of_a_removed_job_stays_in_the_file(spool: Spool) -> None:
    job = end_job(spool, title="the secret title", cwd="/the-secret-folder")
    index = JobIndex(spool.state)
    fill(spool, index)
    file = Path(spool.state, "index/jobs.sqlite")
    assert b"secret" in file.read_bytes()
    spool.remove(job)
    index.remove([job.id])
    assert b"secret" not in file.read_bytes()


def test_a_full_disk_does_not_damage_the_index(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = random_jobs(spool, 60, 2)
    index = JobIndex(spool.state)
    fill(spool, index)
    connect = sqlite3.connect

    def connect_to_a_full_disk(*arguments: Any, **named: Any) -> sqlite3.Connection:
        database = connect(*arguments, **named)
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    entries = [entry for job in random_jobs(spool, 60, 3) if (entry := entry_of(job)) is not None]
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_to_a_full_disk)
        with pytest.raises(IndexUnusable, match="full"):
            index.add(entries)
    assert len(index.newest(Filter(), None, 500)) == len(jobs)
    index.add(entries)
    assert len(index.newest(Filter(), None, 500)) == 120


@pytest.mark.parametrize("deed", DEEDS)
def test_a_damaged_index_is_not_read_and_is_replaced(spool: Spool, deed: str) -> None:
    jobs = random_jobs(spool, 60, 5)
    index = JobIndex(spool.state)
    upkeep = IndexUpkeep(spool, index)
    fill(spool, index)
    expected = listed(spool, index)
    sums = Statistics(spool, index).sums(lambda _: True, plain)
    subprocess.run(["sh", "-c", DEEDS[deed]], cwd=f"{spool.state}/index", check=True)
    assert listed(spool, index) == expected
    assert Statistics(spool, index).sums(lambda _: True, plain) == sums
    entry = entry_of(end_job(spool, is_logged=True))
    assert entry is not None
    upkeep.note(entry)
    upkeep.write_noted()
    eventually(lambda: not upkeep.step() and _is_complete(index))
    assert set(listed(spool, index)) == {*expected, entry.position.id}
    assert len(index.newest(Filter(), None, 100)) == len(jobs) + 1
    assert Path(spool.state, "index/jobs.sqlite").stat().st_mode & 0o777 == 0o600


def _is_complete(index: JobIndex) -> bool:
    try:
        return index.check()
    except IndexUnusable:
        return False


def test_a_database_that_a_job_made_and_stamped_blocks_nothing(spool: Spool) -> None:
    index = JobIndex(spool.state)
    fill(spool, index)
    path = f"{spool.state}/index/jobs.sqlite"
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT x FROM c"
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE sums")
        database.execute(f"CREATE VIEW sums AS {endless}")
    database.close()
    write_stamp(f"{spool.state}/index/stamp", path, is_complete=True)
    started = time.monotonic()
    with pytest.raises(IndexUnusable):
        index.sums([])
    # It is endless.
    assert time.monotonic() - started < 30
    fill(spool, index)


def test_a_lock_of_a_job_blocks_nothing_for_long(spool: Spool) -> None:
    end_job(spool, is_logged=True)
    index = JobIndex(spool.state)
    upkeep = IndexUpkeep(spool, index)
    fill(spool, index)
    with subprocess.Popen(["flock", f"{spool.state}/index", "sleep", "60"]) as holder:
        eventually(lambda: not _is_complete(index))
        assert len(listed(spool, index)) == 1
        # The job has the lock of the old folder.
        eventually(lambda: not upkeep.step() and _is_complete(index))
        holder.kill()


def test_entries_that_workers_add_at_the_same_time_are_all_there(spool: Spool) -> None:
    jobs = random_jobs(spool, 120, 3)
    index = JobIndex(spool.state)
    fill(Spool(Path(spool.state)), index)
    index.remove([job.id for job in jobs])
    entries = [entry for job in jobs if (entry := entry_of(job)) is not None]
    stopped = threading.Event()

    def read() -> None:
        other = JobIndex(spool.state)
        while not stopped.is_set():
            _patiently(lambda: other.newest(Filter(), None, 50))

    def add(some: list[Entry]) -> None:
        other = JobIndex(spool.state)
        for entry in some:
            _patiently(lambda entry=entry: other.add([entry]))  # type: ignore[misc]

    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read)
        # Each is added twice.
        adding = [pool.submit(add, entries[number % 3 :: 3]) for number in range(6)]
        for each in adding:
            each.result()
        stopped.set()
        reading.result()
    assert len(index.newest(Filter(), None, 500)) == 120
    sums, _ = index.sums([])
    assert sum(each.jobs for each in sums.values()) == 120


def _patiently(use: Callable[[], object]) -> None:
    """Use an index that other threads use, too."""
    for _ in range(20):
        try:
            use()
        except IndexUnusable as error:
            assert "lock" in str(error)
        else:
            return
    raise AssertionError("it is never free")


class Calls:
    """Counts the calls that look at a file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for name in ("open", "lstat", "stat", "scandir", "listdir", "readlink", "unlink"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            return call(*arguments, **named)

        return counted


def test_the_cost_of_a_request_does_not_grow_with_the_kept_jobs(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = JobIndex(spool.state)
    statistics = Statistics(spool, index)
    calls = Calls(monkeypatch)
    costs = []
    for count in (60, 400):
        random_jobs(spool, count, count)
        for job in spool.recent().values():
            job.links.take_unlogged()
            Path(job.links.unindexed).unlink()
        fill(spool, index)
        costs.append([])
        for ask in (
            lambda: list(itertools.islice(newest(spool, index, Filter(), None), 50)),
            lambda: list(itertools.islice(newest(spool, index, Filter(user="you"), None), 9)),
            lambda: list(newest(spool, index, Filter(("running",)), None)),
            lambda: statistics.sums(lambda _: True, plain),
            lambda: remove_old(spool, index, 1e6),
            lambda: spool.count(),
        ):
            before = calls.count
            ask()
            costs[-1].append(calls.count - before)
    assert costs[0] == costs[1]
    assert max(costs[1]) < 50


def test_retention_removes_old_jobs_and_lets_other_greenlets_run(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []
    monkeypatch.setattr(time, "sleep", lambda seconds: pauses.append(time.monotonic()))
    old = [end_job(spool, is_logged=True) for _ in range(60)]
    for job in old:
        os.utime(f"{job.path}/ended", (time.time() - 100, time.time() - 100))
    new = end_job(spool, is_logged=True)
    index = JobIndex(spool.state)
    fill(spool, index)
    # A job rewrote its end.
    os.utime(f"{old[7].path}/ended")
    pauses.clear()
    remove_old(spool, index, 50)
    assert {job.id for job in spool.kept()} == {new.id, old[7].id}
    assert len(pauses) >= 59
    assert {each.id for each in index.newest(Filter(), None, 99)} == {new.id, old[7].id}
    # The same without an index.
    index.distrust()
    remove_old(spool, index, 0)
    assert not list(spool.kept())


def test_a_listing_is_right_from_the_first_moment_after_an_upgrade(start_gateway: Start) -> None:
    gateway = start_gateway()
    ids = [gateway.chat("result ok").done()["process_id"] for _ in range(5)]
    eventually(lambda: not any((gateway.state / "unindexed").iterdir()))
    assert gateway.stop() == 0
    subprocess.run(["rm", "-r", gateway.state / "index", gateway.state / "unindexed"], check=True)
    gateway.start()
    rows = gateway.ask("GET", "/jobs").json()["jobs"]
    assert [row["process_id"] for row in rows] == ids[::-1]
    assert gateway.ask("GET", "/stats").json()["jobs"]["succeeded"] == 5
    eventually(lambda: "the index of jobs is complete" in gateway.log())


def test_a_job_that_damages_the_index_while_requests_run_changes_no_answer(
    start_gateway: Start,
) -> None:
    gateway = start_gateway()
    ids = [gateway.chat("result ok").done()["process_id"] for _ in range(20)]
    stopped = threading.Event()
    slow = [0.0]

    def ask() -> int:
        asked = 0
        while not stopped.is_set():
            started = time.monotonic()
            rows = gateway.ask("GET", "/jobs?status=succeeded&limit=500").json()["jobs"]
            sums = gateway.ask("GET", "/stats").json()["jobs"]
            slow.append(time.monotonic() - started)
            known = [row["process_id"] for row in rows]
            assert known[-20:] == ids[::-1]
            assert len(known) == len(set(known))
            assert sums["succeeded"] >= 20
            asked += 1
        return asked

    with ThreadPoolExecutor() as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        for deed in DEEDS.values():
            # Another attack may have removed the files already.
            command = f"cd {gateway.state}/index && ({deed}) 2>&1 >/dev/null; true"
            assert gateway.chat(f"shell {command}", "result ok").done()["status"] == "succeeded"
        stopped.set()
        assert all(each.result() for each in asking)
    # A pipe or a lock would hold one up for ever.
    assert max(slow) < 15
    count = 20 + len(DEEDS)
    assert gateway.ask("GET", "/stats").json()["jobs"]["succeeded"] == count
    rows = gateway.ask("GET", "/jobs?limit=500").json()["jobs"]
    assert len({row["process_id"] for row in rows}) == count
    assert gateway.stop() == 0


def test_one_worker_keeps_the_index_and_another_takes_over(start_gateway: Start) -> None:
    gateway = start_gateway()
    lock = gateway.state / "keeper.lock"
    eventually(lock.exists)

    def keeper() -> int:
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        inode = f":{lock.stat().st_ino}"
        pids = [int(row[4]) for row in rows if row[1] == "POSIX" and row[5].endswith(inode)]
        return pids[0] if pids else 0

    found: list[int] = []
    eventually(lambda: found.append(keeper()) or found[-1] in gateway.workers())
    first = found[-1]
    gateway.kill_workers(first)
    eventually(lambda: keeper() in {*gateway.workers()} - {first})
    gateway.reload()
    eventually(lambda: keeper() in gateway.workers())


def test_no_page_contains_the_jobs_of_another_user(start_gateway: Start) -> None:
    gateway = start_gateway(API_KEYS="one:the-first-key-of-two,two:the-second-key-of-two")
    keys = ("the-first-key-of-two", "the-second-key-of-two")
    body = {"prompt": "result ok", "cwd": str(gateway.project)}
    for key in (*keys, keys[0]):
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(uuid4())}
        gateway.ask("POST", "/chat", json=body, headers=headers, auth=None)
    eventually(lambda: not any((gateway.state / "unindexed").iterdir()))
    for key, count in zip(keys, (2, 1), strict=True):
        headers = {"Authorization": f"Bearer {key}"}
        for query in ("", "?status=succeeded", "?limit=500"):
            rows = gateway.ask("GET", f"/jobs{query}", headers=headers, auth=None).json()["jobs"]
            assert [row["user"] for row in rows] == [row["user"] for row in rows[:1]] * count
    assert len(gateway.ask("GET", "/jobs").json()["jobs"]) == 3
