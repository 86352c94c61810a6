"""The ledger of usage: each job once, whatever crashes, a full disk or a job does to it."""

import errno
import json
import os
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app.auth.users import User, assign
from app.errors import DiskTooSlow
from app.jobs import usage_ledger, usage_sums
from app.jobs.index_entry import entry_of
from app.jobs.log_ends import log_unlogged
from app.jobs.store import Spool
from app.jobs.usage import UsageReports, Wanted
from app.jobs.usage_ledger import UsageLedger
from app.jobs.usage_record import UsageRecorder
from app.jobs.usage_sums import MonthSums
from app.records.usage_line import UsageLine, append
from app.timestamps import at, now
from tests.support.ended_jobs import end_job
from tests.support.usage_lines import usage_line, write_lines

OPERATOR = User("admin", "admin", is_operator=True)
USERS = assign("admin", (), False, None, False)
DAY = 86_400
#: A month that is over, and one of its days.
CLOSED = at(time.time() - 60 * DAY)[:7]
CLOSED_DAY = f"{CLOSED}-10"
TODAY = now()[:10]
#: These tests may go on after midnight.
TOMORROW = at(time.time() + DAY)[:10]
#: Lines that count as nothing.
BAD_LINES = [
    b"\n",
    b"\x00" * 100 + b"\n",
    b"[1,2]\n",
    b"nonsense\n",
    os.urandom(300).replace(b"\n", b"") + b"\n",
    b"[" * 4000 + b"\n",
    b"{" + b" " * 10_000 + b"}\n",
    usage_line(CLOSED_DAY, cost=-1),
    usage_line(CLOSED_DAY, cost=1e999),
    usage_line(CLOSED_DAY, cost=0.5),
    usage_line(CLOSED_DAY, cost=True),
    usage_line(CLOSED_DAY, cost=None),
    usage_line(CLOSED_DAY, input=10**22),
    usage_line(CLOSED_DAY).replace(b": 3", b": 1e999"),
    usage_line(CLOSED_DAY).replace(b": 3", b": " + b"9" * 3000),
    usage_line(CLOSED_DAY, first_line=-5),
    usage_line(CLOSED_DAY, first_line="1"),
    usage_line(CLOSED_DAY, start=7),
    usage_line(CLOSED_DAY, status="other"),
    usage_line(CLOSED_DAY, status=[]),
    usage_line(CLOSED_DAY, user=5),
    usage_line(CLOSED_DAY, user="x" * 1000),
    usage_line(CLOSED_DAY, ended_at=f"{CLOSED}-xx"),
    usage_line("1999-01-01"),
    usage_line(CLOSED_DAY)[:-40] + b"\n",
]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path)
    made.prepare()
    return made


def report(spool: Spool, by: Any = "day", **named: Any) -> dict[str, Any]:
    """The report of all that is kept, as the operator sees it."""
    ledger = named.pop("ledger", None) or UsageLedger(spool.state, 400.0 * DAY)
    wanted = Wanted("2000-01-01", TOMORROW, by, **named)
    return UsageReports(ledger, USERS).report(OPERATOR, wanted)


def jobs_in(spool: Spool) -> int:
    return int(report(spool)["total"]["jobs"])


def lines_in(spool: Spool) -> list[dict[str, Any]]:
    """All lines of the ledger."""
    files = sorted(Path(spool.state, "usage").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def test_a_job_counts_on_the_day_of_its_end_and_outlives_its_folder(spool: Spool) -> None:
    result = {"total_cost_usd": 0.25, "usage": {"input_tokens": 1, "output_tokens": 2}}
    job = end_job(spool, ended_at=f"{CLOSED_DAY}T23:59:59.999Z", result=result, model="opus")
    log_unlogged(spool, str)
    spool.remove(job)
    (row,) = report(spool)["rows"]
    assert row.pop("duration_ms") >= 0
    assert row == {
        "key": CLOSED_DAY,
        "jobs": 1,
        "failed": 0,
        "cost_usd": 0.25,
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_read_tokens": 0,
        "cache_creation_tokens": 0,
    }


def test_a_job_that_two_processes_or_a_crash_write_twice_counts_once(spool: Spool) -> None:
    job, recorder = end_job(spool, ended_at=now()), UsageRecorder(spool.state)
    entry, end = entry_of(job), job.end()
    assert entry is not None
    assert end is not None
    # The process died before it marked the end as logged.
    recorder.add(job, entry, end)
    log_unlogged(spool, str)
    assert [line["id"] for line in lines_in(spool)] == [job.id, job.id]
    assert jobs_in(spool) == 1
    # Once it is marked, it is not written again.
    log_unlogged(spool, str)
    assert len(lines_in(spool)) == 2


def test_a_line_that_a_crash_has_torn_costs_no_other_line(spool: Spool) -> None:
    torn = usage_line(TODAY)[:-20]
    write_lines(spool.state, TODAY[:7], usage_line(TODAY), torn)
    ledger = UsageLedger(spool.state, 400.0 * DAY)
    assert report(spool, ledger=ledger)["total"]["jobs"] == 1
    end_job(spool, ended_at=now())
    log_unlogged(spool, str)
    # What was read is not read again, and what was torn is not lost if it is completed.
    assert report(spool, ledger=ledger)["total"]["jobs"] == 2
    write_lines(spool.state, TODAY[:7], usage_line(TODAY)[:100])
    assert report(spool, ledger=ledger)["total"]["jobs"] == 2
    assert jobs_in(spool) == 2


@pytest.mark.parametrize("day", [CLOSED_DAY, TODAY])
def test_damaged_lines_are_left_out(spool: Spool, day: str) -> None:
    bad = [line.replace(CLOSED_DAY.encode(), day.encode()) for line in BAD_LINES]
    good = [usage_line(day) for _ in bad]
    mixed = [line for pair in zip(bad, good, strict=True) for line in pair]
    write_lines(spool.state, day[:7], *mixed)
    total = report(spool)["total"]
    assert total["jobs"] == len(good)
    assert total["cost_usd"] == pytest.approx(0.001 * len(good))
    # The same from the sums, if there are some.
    assert report(spool)["total"] == total


def test_no_line_counts_as_more_than_a_job(spool: Spool) -> None:
    line = usage_line(CLOSED_DAY, jobs=1000, failed=-3, cost=10**21, start="kept", more=[{}])
    write_lines(spool.state, CLOSED, line)
    found = report(spool)
    assert (found["total"]["jobs"], found["total"]["failed"]) == (1, 0)
    assert found["total"]["cost_usd"] == 1e12
    json.dumps(found, allow_nan=False)


def test_a_month_that_is_over_is_read_once(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_lines(spool.state, CLOSED, *(usage_line(CLOSED_DAY, user="you") for _ in range(9)))
    before = {by: report(spool, by) for by in ("day", "model", "user")}
    with monkeypatch.context() as patch:
        patch.setattr(MonthSums, "add", lambda *_: pytest.fail("a line is read"))
        assert {by: report(spool, by) for by in before} == before
    # A file in its place is read anew.
    path.write_bytes(usage_line(CLOSED_DAY))
    assert jobs_in(spool) == 1


@pytest.mark.parametrize(
    "sums",
    [
        b"",
        b"\x00" * 100,
        b"[]",
        b'{"format":1}',
        b"[" * 100_000,
        b'{"format":1,"stamp":STAMP,"uses":[["a","b","c",1,0,-5,0,0,0,0,0]],"starts":[]}',
        b'{"format":1,"stamp":STAMP,"uses":[["a","b","c",1]],"starts":[]}',
        b'{"format":1,"stamp":STAMP,"uses":[["a"]],"starts":[]}',
        b'{"format":1,"stamp":STAMP,"uses":[[1,2,3,1,0,1e999,0,0,0,0,0]],"starts":[]}',
        b'{"format":1,"stamp":STAMP,"uses":[["a","b","c",1,0,1'
        + b"0" * 400
        + b',0,0,0,0,0]],"starts":[]}',
        b'{"format":1,"stamp":STAMP,"uses":[],"starts":[["a","b","cold",1,[["x",1]]]]}',
        b'{"format":1,"stamp":STAMP,"uses":[],"starts":[["a","b",[],1,[[1]]]]}',
    ],
)
def test_damaged_sums_are_made_anew(spool: Spool, sums: bytes) -> None:
    path = write_lines(spool.state, CLOSED, usage_line(CLOSED_DAY))
    found = path.stat()
    stamp = json.dumps([found.st_ino, found.st_size, found.st_ctime_ns]).encode()
    cached = path.with_suffix(".sums")
    cached.write_bytes(sums.replace(b"STAMP", stamp))
    assert jobs_in(spool) == 1
    assert json.loads(cached.read_bytes())["stamp"] == json.loads(stamp)


@pytest.mark.parametrize("name", [f"{CLOSED}.jsonl", f"{CLOSED}.sums", f"{TODAY[:7]}.jsonl", "."])
@pytest.mark.parametrize("deed", ["link", "pipe", "folder", "hole", "no rights"])
def test_what_a_job_puts_there_holds_nothing_up(spool: Spool, name: str, deed: str) -> None:
    write_lines(spool.state, CLOSED, usage_line(CLOSED_DAY))
    write_lines(spool.state, TODAY[:7], usage_line(TODAY))
    jobs_in(spool)
    path = Path(spool.state, "usage", name)
    aside = Path(spool.state, "aside")
    if deed == "no rights":
        path.chmod(0)
    elif deed == "hole" and name != ".":
        os.truncate(path, 300 << 30)
    else:
        path.rename(aside)
        {
            "link": lambda: path.symlink_to(aside),
            "pipe": lambda: os.mkfifo(path),
            "folder": lambda: (path / "x").mkdir(parents=True),
            "hole": lambda: None,
        }[deed]()
    assert jobs_in(spool) <= 2
    end_job(spool, ended_at=now())
    log_unlogged(spool, str)
    UsageLedger(spool.state, 400.0 * DAY).tidy()
    spool.prepare()
    assert jobs_in(spool) <= 3


def test_a_full_disk_loses_lines_and_is_logged_once(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, write = UsageRecorder(spool.state), os.write

    def end_one() -> None:
        job = end_job(spool, ended_at=now())
        entry, end = entry_of(job), job.end()
        assert entry is not None
        assert end is not None
        with monkeypatch.context() as patch:
            if is_full:
                patch.setattr(os, "write", lambda number, content: write(number, content[:50]))
            recorder.add(job, entry, end)

    is_full = True
    for _ in range(3):
        end_one()
    (record,) = caplog.records
    assert os.strerror(errno.ENOSPC) in record.getMessage()
    caplog.clear()
    caplog.set_level("INFO")
    is_full = False
    for _ in range(2):
        end_one()
    assert ["again" in each.getMessage() for each in caplog.records] == [True]
    assert jobs_in(spool) == 2


def test_a_month_has_an_end_and_so_have_all(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.records.usage_line.LARGEST_MONTH", 1000)
    line = UsageLine("x", now(), "admin", "", "succeeded", 0, 0, 0, 0, 0)
    with pytest.raises(OSError, match="too large"):
        for _ in range(20):
            append(spool.state, line)
    assert Path(spool.state, "usage", f"{TODAY[:7]}.jsonl").stat().st_size < 1500
    # All of them: the oldest go first.
    months = [at(time.time() - days * DAY)[:7] for days in (70, 110, 150)]
    for month in months:
        write_lines(spool.state, month, usage_line(f"{month}-15") * 10)
    monkeypatch.setattr(usage_ledger, "_MOST_BYTES", 6000)
    UsageLedger(spool.state, 400.0 * DAY).tidy()
    left = {path.name[:7] for path in Path(spool.state, "usage").iterdir()}
    assert left == {TODAY[:7], months[0]}


def test_a_hostile_month_has_few_groups(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_sums, "_MOST_GROUPS", 5)
    lines = (usage_line(CLOSED_DAY, user=f"user-{number}") for number in range(20))
    write_lines(spool.state, CLOSED, *lines)
    assert len(report(spool, "user")["rows"]) == 5


def test_old_months_and_what_is_no_month_are_removed(spool: Spool) -> None:
    old, recent = at(time.time() - 100 * DAY), at(time.time() - 40 * DAY)
    for day in (old, recent):
        write_lines(spool.state, day[:7], usage_line(day[:10]))
    folder = Path(spool.state, "usage")
    (folder / "2099-01.jsonl").write_bytes(usage_line("2099-01-01"))
    (folder / f"{recent[:7]}.sums.123.456").touch()
    ledger = UsageLedger(spool.state, 50.0 * DAY)
    # A month has days that are kept and others.
    assert [row["key"] for row in report(spool, ledger=ledger)["rows"]] == [recent[:10]]
    ledger.tidy()
    names = {f"{recent[:7]}.jsonl", f"{recent[:7]}.sums"}
    assert {path.name for path in folder.iterdir()} == names
    # Without the folder, there is nothing to do.
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    ledger.tidy()
    assert jobs_in(spool) == 0


def test_a_job_cannot_choose_the_file_of_its_line(spool: Spool) -> None:
    for ended_at in ("../../evil", "2099-01-01T00:00:00.000Z", "2026-1", ""):
        end_job(spool, ended_at=ended_at)
    log_unlogged(spool, str)
    assert [path.name for path in Path(spool.state, "usage").iterdir()] == [f"{TODAY[:7]}.jsonl"]
    assert jobs_in(spool) == 4


def test_a_report_counts_what_kept_runs_and_spares_have_saved(spool: Spool) -> None:
    first_lines = {"cold": [900, 1000, 5000], "resumed": [700], "kept": [100, 110], "spare": [200]}
    lines = [
        usage_line(CLOSED_DAY, start=kind, first_line=each)
        for kind, all_of_kind in first_lines.items()
        for each in all_of_kind
    ]
    lines.append(usage_line(CLOSED_DAY, start="kept"))
    write_lines(spool.state, CLOSED, *lines)
    found = report(spool)
    assert found["starts"] == {
        "cold": {"jobs": 3, "first_line_ms": 1000},
        "resumed": {"jobs": 1, "first_line_ms": 700},
        "kept": {"jobs": 3, "first_line_ms": 100},
        "spare": {"jobs": 1, "first_line_ms": 200},
    }
    assert found["saved_ms"] == 3 * (700 - 100) + (1000 - 200)


def test_turns_without_a_job_cost_and_are_no_jobs(spool: Spool) -> None:
    line = usage_line(CLOSED_DAY, status="own", start="kept", first_line=1)
    write_lines(spool.state, CLOSED, line)
    found = report(spool)
    assert (found["total"]["jobs"], found["total"]["cost_usd"]) == (0, 0.001)
    assert found["starts"]["kept"] == {"jobs": 0, "first_line_ms": None}


def test_a_slow_disk_is_an_error_and_the_next_look_begins_anew(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(spool.state, TODAY[:7], usage_line(TODAY))
    ledger = UsageLedger(spool.state, 400.0 * DAY)

    def slow(months: Iterable[MonthSums]) -> None:
        time.sleep(0.5)

    with monkeypatch.context() as patch:
        patch.setattr(usage_ledger, "_PATIENCE", 0.05)
        with pytest.raises(DiskTooSlow):
            ledger.report(TODAY, TODAY, slow)
    assert report(spool, ledger=ledger)["total"]["jobs"] == 1


@pytest.mark.parametrize("day", [CLOSED_DAY, TODAY])
def test_a_look_that_takes_too_long_ends_and_the_next_goes_on(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, day: str
) -> None:
    write_lines(spool.state, day[:7], *(usage_line(day) for _ in range(20)))
    ledger = UsageLedger(spool.state, 400.0 * DAY)
    monkeypatch.setattr(usage_ledger, "_PIECE", 500)
    with monkeypatch.context() as patch:
        patch.setattr(usage_ledger, "_MOST_SECONDS", -1.0)
        for _ in range(3):
            with pytest.raises(DiskTooSlow):
                report(spool, ledger=ledger)
    with monkeypatch.context() as patch:
        read = []
        add = MonthSums.add
        patch.setattr(MonthSums, "add", lambda sums, line: (read.append(line), add(sums, line)))
        assert report(spool, ledger=ledger)["total"]["jobs"] == 20
        assert (len(read) < 20) == (day == TODAY)


def test_sums_are_those_of_all_lines(spool: Spool) -> None:
    chance = random.Random(1)  # noqa: S311 - not a secret
    days = [at(time.time() - each * DAY)[:10] for each in (0, 1, 30, 60, 90)]
    users, models = ("admin", "ü\ud800", "b"), ("", "opus")
    facts: dict[tuple[str, str, str], list[int]] = {}
    for _ in range(500):
        key = (chance.choice(days), chance.choice(users), chance.choice(models))
        cost, status = chance.randrange(10**9), chance.choice(["succeeded", "failed", "cancelled"])
        line = usage_line(key[0], user=key[1], model=key[2], cost=cost, status=status)
        write_lines(spool.state, key[0][:7], line)
        counts = facts.setdefault(key, [0, 0, 0])
        facts[key] = [counts[0] + 1, counts[1] + (status == "failed"), counts[2] + cost]
    ledger = UsageLedger(spool.state, 400.0 * DAY)
    for _ in range(2):
        for number, by in enumerate(("day", "user", "model")):
            expected: dict[str, list[int]] = {}
            for key, counts in facts.items():
                sums = expected.setdefault(key[number], [0, 0, 0])
                expected[key[number]] = [a + b for a, b in zip(sums, counts, strict=True)]
            rows = {
                row["key"]: [row["jobs"], row["failed"], row["cost_usd"]]
                for row in report(spool, by, ledger=ledger)["rows"]
            }
            assert rows == {k: [a, b, round(c / 1e9, 6)] for k, (a, b, c) in expected.items()}
