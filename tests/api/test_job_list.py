"""`GET /jobs` with its filters, short records and counts; `GET /whoami`."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support.gateway import Gateway
from tests.support.talk import answered, asking
from tests.support.two_users import ALICE, BOB, KEYS, by, chat


def listing(gateway: Gateway, query: str, **named: Any) -> dict[str, Any]:
    """The answer to GET /jobs."""
    answer = gateway.ask("GET", f"/jobs?{query}", **named)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["count"] == len(found["jobs"])
    return found


def ids(gateway: Gateway, query: str, **named: Any) -> list[str]:
    """The jobs of a listing."""
    return [row["process_id"] for row in listing(gateway, query, **named)["jobs"]]


@pytest.fixture
def two(start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway with the operator, alice and bob."""
    return start_gateway(API_KEYS=KEYS)


def test_whoami_names_the_user_of_the_credentials(two: Gateway) -> None:
    assert two.ask("GET", "/whoami").json() == {"user": "admin", "operator": True}
    assert two.ask("GET", "/whoami", **by(ALICE)).json() == {"user": "alice", "operator": False}
    assert two.ask("GET", "/whoami", auth=None).status_code == 401


def test_a_filter_finds_jobs_that_run_and_jobs_that_have_ended(two: Gateway) -> None:
    other = two.folder / "other"
    other.mkdir()
    session = str(uuid4())
    ended = two.chat(
        *('line {"type": "result", "is_error": false}', f"system {session}"),
        title="Mend 100% of it",
    ).done()
    failed = two.chat("exit 1", title="mend it", cwd=str(other)).done()
    running = two.chat("silent", title="MEND all", session_id=session).job_id
    done, broken = ended["process_id"], failed["process_id"]
    assert (ended["status"], failed["status"]) == ("succeeded", "failed")
    for short in ("", "&short=true"):
        assert ids(two, f"q=MeNd{short}") == [running, broken, done]
        assert ids(two, f"q=100%25{short}") == [done]
        assert ids(two, f"q=no+such{short}") == []
        assert ids(two, f"cwd={other}{short}") == [broken]
        assert ids(two, f"session_id={session}{short}") == [running, done]
        assert ids(two, f"session_id={session}&status=running{short}") == [running]
        assert ids(two, f"status=failed,running{short}") == [running, broken]
        assert ids(two, f"status=failed&status=succeeded{short}") == [broken, done]
        assert ids(two, f"status=lost,timed_out{short}") == []
        assert ids(two, f"before={broken}&q=mend{short}") == [done]
        assert ids(two, f"limit=1&status=succeeded,failed{short}") == [broken]


def test_a_short_record_says_what_the_record_says(two: Gateway) -> None:
    two.chat("result ok").done()
    two.chat("exit 1").done()
    two.chat("silent")
    short, whole = (listing(two, query)["jobs"] for query in ("short=true", "short=false"))
    assert len(short) == len(whole) == 3
    for row, record in zip(short, whole, strict=True):
        assert row["run_id"] == row["process_id"]
        assert row["open_questions"] == 0
        common = row.keys() & record.keys() - {"run_id"}
        assert {key: row[key] for key in common} == {key: record[key] for key in common}
        assert row.keys() - common == {"run_id", "open_questions"}
        assert not row.keys() & {"result", "usage", "stderr", "messages"}


def test_a_job_that_waits_for_an_answer_is_counted_and_found(gateway: Gateway) -> None:
    before = listing(gateway, "totals=true&limit=1")["totals"]
    stream, question = asking(gateway)
    found = listing(gateway, "status=waiting&short=true&totals=true")
    assert [row["process_id"] for row in found["jobs"]] == [stream.job_id]
    assert found["jobs"][0]["status"] == "running"
    assert found["jobs"][0]["open_questions"] == 1
    assert found["totals"]["waiting"] == before["waiting"] + 1
    assert found["totals"]["running"] == before["running"] + 1
    answered(gateway, question)
    stream.done()
    found = listing(gateway, "status=waiting&totals=true")
    assert found["jobs"] == []
    assert found["totals"] == before | {"succeeded": before["succeeded"] + 1}


def test_the_totals_count_what_the_user_may_see_whatever_the_filters_are(two: Gateway) -> None:
    for key in (ALICE, BOB):
        chat(two, key, "result ok").done()
    chat(two, ALICE, "exit 1").done()
    chat(two, BOB, "silent")
    nothing = dict.fromkeys(("queued", "waiting", "cancelled", "timed_out", "lost"), 0)
    for query in ("totals=true", "totals=true&q=nothing&status=lost"):
        assert listing(two, query, **by(ALICE))["totals"] == nothing | {
            **{"running": 0, "succeeded": 1, "failed": 1}
        }
        assert listing(two, query)["totals"] == nothing | {
            **{"running": 1, "succeeded": 2, "failed": 1}
        }
    assert "totals" not in listing(two, "")


def test_only_the_operator_finds_the_jobs_of_another_user(two: Gateway) -> None:
    alices = chat(two, ALICE, "result ok").done()["process_id"]
    bobs = chat(two, BOB, "silent").job_id
    mine = two.chat("result ok").done()["process_id"]
    assert ids(two, "user=alice") == [alices]
    assert ids(two, "user=bob") == [bobs]
    assert ids(two, "user=admin") == [mine]
    assert ids(two, "user=nobody") == []
    assert ids(two, "user=alice", **by(ALICE)) == [alices]
    # Whether or not there is such a user.
    assert ids(two, "user=bob", **by(ALICE)) == ids(two, "user=nobody", **by(ALICE)) == []
    assert ids(two, "user=admin", **by(ALICE)) == []


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("status=done", "status", "done"),
        ("status=failed,", "status", ""),
        ("status=failed&status=gone", "status", "gone"),
        ("short=1", "short", "1"),
        ("totals=yes", "totals", "yes"),
        ("q=", "q", ""),
        (f"q={'x' * 201}", "q", "x" * 100),
        ("cwd=", "cwd", ""),
        ("user=", "user", ""),
        ("session_id=", "session_id", ""),
    ],
)
def test_a_bad_value_is_refused_and_named(
    gateway: Gateway, query: str, name: str, value: str
) -> None:
    answer = gateway.ask("GET", f"/jobs?{query}")
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["loc"] == ["query", name]
    assert f"not '{value}" in problem["msg"]


def test_a_damaged_index_changes_no_answer(two: Gateway) -> None:
    for title in ("one", "two"):
        two.chat("result ok", title=title).done()
    queries = ("q=one&short=true", "status=succeeded,failed", "totals=true", "user=admin&cwd=/x")
    before = [listing(two, query) for query in queries]
    (two.state / "index/jobs.sqlite").write_bytes(b"rubbish")
    assert [listing(two, query) for query in queries] == before
