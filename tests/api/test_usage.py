"""`GET /usage`: what jobs have used, by day, model and user."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.support.gateway import Gateway, eventually
from tests.support.talk import runs_of
from tests.support.two_users import ALICE, BOB, KEYS, by, chat
from tests.support.usage_lines import usage_line, write_lines

Start = Callable[..., Gateway]

RESULT = {
    "type": "result",
    "is_error": False,
    "total_cost_usd": 0.25,
    "usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3},
}
EXPENSIVE = f"line {json.dumps(RESULT)}"


def today() -> date:
    return datetime.now(UTC).date()


def usage(gateway: Gateway, key: str | None = None, **query: str) -> dict[str, Any]:
    """A report, as the operator or the user of a key gets it."""
    answer = gateway.ask("GET", "/usage", params=query, **(by(key) if key else {}))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def keys(report: dict[str, Any]) -> list[str]:
    return [row["key"] for row in report["rows"]]


def test_what_jobs_have_used_is_reported_by_day_model_and_user(start_gateway: Start) -> None:
    gateway = start_gateway(API_KEYS=KEYS, JOB_RETENTION="0")
    begun = today()
    chat(gateway, ALICE, EXPENSIVE, model="opus").done()
    chat(gateway, BOB, EXPENSIVE).done()
    gateway.chat("exit 3", model="opus").done()
    # They have been removed, or will be.
    eventually(lambda: usage(gateway)["total"]["jobs"] == 3)
    report = usage(gateway)
    assert report["total"]["failed"] == 1
    assert report["total"]["cost_usd"] == 0.5
    assert report["total"]["cache_read_tokens"] == 6
    assert report["total"]["duration_ms"] > 0
    assert {*keys(report)} <= {begun.isoformat(), today().isoformat()}
    assert report["to"] == today().isoformat()
    assert report["from"] == (today() - timedelta(days=29)).isoformat()
    rows = {row.pop("key"): row for row in usage(gateway, by="model")["rows"]}
    assert (rows["opus"]["jobs"], rows["opus"]["cost_usd"]) == (2, 0.25)
    assert keys(usage(gateway, by="user")) == ["admin", "alice", "bob"]
    assert usage(gateway, user="alice", by="model")["total"]["cost_usd"] == 0.25
    assert usage(gateway, user="nobody", by="user")["rows"] == []


def test_users_see_what_they_have_used_themselves(start_gateway: Start) -> None:
    gateway = start_gateway(API_KEYS=KEYS)
    chat(gateway, ALICE, EXPENSIVE).done()
    chat(gateway, BOB, "line a").done()
    eventually(lambda: usage(gateway)["total"]["jobs"] == 2)
    assert keys(usage(gateway, ALICE, by="user")) == ["alice"]
    assert usage(gateway, BOB)["total"]["cost_usd"] == 0
    hidden = usage(gateway, BOB, user="alice")
    assert (hidden["rows"], hidden["total"]["jobs"]) == ([], 0)
    assert sum(each["jobs"] for each in hidden["starts"].values()) == 0
    assert gateway.ask("GET", "/usage", auth=None).status_code == 401


def test_shared_jobs_are_seen_by_all(start_gateway: Start) -> None:
    gateway = start_gateway(API_KEYS=KEYS, SHARED_JOBS="true")
    chat(gateway, ALICE, EXPENSIVE).done()
    eventually(lambda: usage(gateway, BOB, user="alice")["total"]["jobs"] == 1)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"from": "2026-02-30"}, "2026-02-30"),
        ({"from": "20261126"}, "20261126"),
        ({"to": "2026-W48-4"}, "2026-W48-4"),
        ({"to": ""}, "''"),
        ({"from": "\N{ARABIC-INDIC DIGIT TWO}026-01-01"}, "026-01-01"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "2026-02-02 is after 2026-02-01"),
        ({"from": "9999-01-01"}, "9999-01-01 is after"),
        ({"from": "2025-01-01", "to": "2026-02-05"}, "401 days"),
        ({"by": "hour"}, "'hour'"),
    ],
)
def test_a_bad_query_is_refused_by_name(
    gateway: Gateway, query: dict[str, str], named: str
) -> None:
    answer = gateway.ask("GET", "/usage", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    (problem,) = answer.json()["detail"]
    assert problem["loc"][0] == "query"
    assert problem["loc"][1] in query
    assert named in problem["msg"]


def test_the_first_and_the_longest_time_are_reported(gateway: Gateway) -> None:
    assert usage(gateway, to="0001-01-01")["from"] == "0001-01-01"
    assert usage(gateway, **{"from": "2025-01-01", "to": "2026-02-04"})["rows"] == []


def test_the_way_to_a_process_and_the_first_line_are_counted(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    verbs = ("line a", f"await {gateway.folder / 'go'}")
    kept: dict[str, Any] = {"keep_alive": 60, "model": "cold"}
    session = None
    for _ in range(2):
        stream = gateway.chat(*verbs, **kept, **({"session_id": session} if session else {}))
        stream.next()
        # A first line is recorded when it has been sent.
        eventually((gateway.state / "jobs" / stream.job_id / "first_line").is_symlink)
        (gateway.folder / "go").touch()
        session = stream.done()["session_id"]
        (gateway.folder / "go").unlink()
    # Nothing waits for this one's first line.
    gateway.post("exit 3", **{"model": "cold", "session_id": session, "detach": True})
    eventually(lambda: usage(gateway)["total"]["jobs"] == 3)
    starts = usage(gateway)["starts"]
    assert {kind: each["jobs"] for kind, each in starts.items()} == {
        "cold": 1,
        "resumed": 1,
        "kept": 1,
        "spare": 0,
    }
    assert starts["cold"]["first_line_ms"] > 0
    assert starts["kept"]["first_line_ms"] >= 0
    assert starts["spare"]["first_line_ms"] is None


def test_the_turns_that_a_kept_run_begins_by_itself_are_paid_for(start_gateway: Start) -> None:
    gateway = start_gateway()
    go = gateway.folder / "go"
    gateway.chat(f"own {go}", keep_alive=30, model="opus").done()
    go.touch()
    eventually(lambda: runs_of(gateway)[0]["own_turns"] == 1)
    own = runs_of(gateway)[0]["own_cost_usd"]
    record = gateway.ask("GET", "/jobs").json()["jobs"][0]
    total = pytest.approx((record["total_cost_usd"] or 0) + own)
    eventually(lambda: usage(gateway, by="model")["total"]["cost_usd"] == total)
    (row,) = usage(gateway, by="model")["rows"]
    assert (row["key"], row["jobs"]) == ("opus", 1)


def test_an_end_while_no_gateway_runs_is_in_the_ledger_once(start_gateway: Start) -> None:
    gateway = start_gateway()
    ended = gateway.chat(EXPENSIVE).done()["process_id"]
    running = gateway.chat("line a", f"await {gateway.folder / 'go'}", EXPENSIVE, detach=True)
    running.next()
    gateway.kill()
    (gateway.folder / "go").touch()
    record = gateway.state / "jobs" / running.job_id / "ended"
    eventually(record.exists)
    gateway.start()
    eventually(lambda: usage(gateway)["total"]["jobs"] == 2)
    assert usage(gateway)["total"]["cost_usd"] == 0.5
    assert gateway.stop() == 0
    lines = [json.loads(each) for each in _ledger(gateway).read_bytes().splitlines()]
    assert {each["id"] for each in lines} == {ended, running.job_id}


def test_what_the_master_cancels_at_its_stop_is_in_the_ledger(start_gateway: Start) -> None:
    gateway = start_gateway()
    stream = gateway.chat("line a", "silent", detach=True)
    stream.next()
    assert gateway.stop() == 0
    lines = [json.loads(each) for each in _ledger(gateway).read_bytes().splitlines()]
    assert [(each["id"], each["status"]) for each in lines] == [(stream.job_id, "cancelled")]


def test_a_job_that_damages_the_ledger_loses_lines_and_disturbs_no_end(
    start_gateway: Start,
) -> None:
    gateway = start_gateway()
    gateway.chat(EXPENSIVE).done()
    eventually(lambda: usage(gateway)["total"]["jobs"] == 1)
    path = _ledger(gateway)
    command = f"mv {path} {gateway.folder}/aside; mkdir -p {path}/x; echo done"
    ends = [gateway.chat(f"shell {command}", "result ok").done()]
    ends.append(gateway.chat(EXPENSIVE).done())
    assert [end["status"] for end in ends] == ["succeeded"] * 2
    assert usage(gateway)["total"]["jobs"] == 0
    # Their lines are lost by the time that the ledger is back.
    for end in ends:
        words = f"job {end['process_id']} succeeded"
        eventually(lambda words=words: words in gateway.log())
    eventually(lambda: "usage is not recorded, from job" in gateway.log())
    assert gateway.log().count("usage is not recorded") <= len(gateway.workers())
    command = f"rm -r {path}; mv {gateway.folder}/aside {path}"
    gateway.chat(f"shell {command}", EXPENSIVE).done()
    eventually(lambda: usage(gateway)["total"]["cost_usd"] == 0.5)


def test_both_workers_report_the_same_from_all_that_is_kept(start_gateway: Start) -> None:
    gateway = start_gateway(USAGE_RETENTION=str(100 * 86_400))
    days = [(today() - timedelta(days=age)).isoformat() for age in (0, 1, 40, 99, 130)]
    for day in days:
        write_lines(gateway.state, day[:7], usage_line(day), usage_line(day, user="key-1"))
    query = {"from": (today() - timedelta(days=399)).isoformat()}
    reports = {json.dumps(usage(gateway, **query)) for _ in range(20)}
    (report,) = map(json.loads, reports)
    assert keys(report) == sorted(days[:4])
    assert report["total"]["jobs"] == 8


def _ledger(gateway: Gateway) -> Any:
    (path,) = (gateway.state / "usage").glob("*.jsonl")
    return path
