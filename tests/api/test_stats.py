"""`GET /stats`: the count and cost of the jobs that are kept."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from app.jobs.index import JobIndex
from app.jobs.statistics import Statistics
from app.jobs.store import Spool
from app.records.job import Job
from app.version import VERSION
from tests.support.ended_jobs import end_job, fill
from tests.support.gateway import AUTH, Gateway, eventually
from tests.support.pages import page

NOTHING = {"input": 0, "output": 0, "cache_read": 0, "cache_creation": 0}


def result(cost: object, **usage: object) -> str:
    return json.dumps({"type": "result", "is_error": False, "total_cost_usd": cost, "usage": usage})


def test_jobs_are_summed_up_by_day_model_and_user(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(API_KEYS="the-key-of-a-client")
    first = f"line {result(0.25, input_tokens=1, output_tokens=2)}"
    gateway.chat(first).done()
    gateway.chat(first, model="opus").done()
    gateway.chat("exit 3", model=None).done()
    key = {"Authorization": "Bearer the-key-of-a-client"}
    prompt = f"line {result(0.1, cache_read_input_tokens=5)}"
    body = {"prompt": prompt, "cwd": str(gateway.project)}
    gateway.ask("POST", "/chat", json=body, headers=key, auth=None)
    gateway.chat("silent")
    days = {datetime.now(UTC).date().isoformat()}
    stats = gateway.ask("GET", "/stats").json()
    days.add(datetime.now(UTC).date().isoformat())
    assert stats["version"] == VERSION
    assert stats["claude_version"] == "9.9.9 (Fake Code)"
    assert stats["jobs"] == {"failed": 1, "succeeded": 3, "running": 1, "queued": 0}
    assert {row["day"] for row in stats["days"]} <= days
    assert sum(row["cost_usd"] for row in stats["days"]) == pytest.approx(0.6)
    models = {row.pop("model"): row for row in stats["models"]}
    assert models["opus"] == {
        "jobs": 1,
        "cost_usd": 0.25,
        "tokens": {"input": 1, "output": 2, "cache_read": 0, "cache_creation": 0},
    }
    assert models[""] == {"jobs": 1, "cost_usd": 0, "tokens": NOTHING}
    assert models["sonnet"]["cost_usd"] == 0.35
    users = {row["user"]: row for row in stats["users"]}
    assert users["admin"]["jobs"] == 3
    assert users["key-1"]["tokens"]["cache_read"] == 5


def test_the_uptime_is_the_gateways_not_the_workers(start_gateway: Callable[..., Gateway]) -> None:
    begun = time.monotonic()
    gateway = start_gateway()
    eventually(lambda: time.monotonic() - begun > 2)
    gateway.reload()
    gateway.kill_workers()
    uptime = gateway.ask("GET", "/stats").json()["uptime_seconds"]
    assert 1 < uptime < time.monotonic() - begun + 1


def test_both_workers_report_the_same(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    for _ in range(4):
        gateway.chat(f"line {result(0.25)}").done()

    def sums() -> str:
        stats = gateway.ask("GET", "/stats").json()
        del stats["uptime_seconds"]
        return json.dumps(stats)

    assert len({sums() for _ in range(20)}) == 1


def test_it_is_not_public(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/stats", auth=None).status_code == 401
    assert gateway.ask("GET", "/stats", auth=AUTH).status_code == 200


def test_the_api_page_names_every_key(gateway: Gateway) -> None:
    section = page("docs/api.md").section("`GET /stats`")
    gateway.chat(f"line {result(0.25)}").done()
    stats = gateway.ask("GET", "/stats").json()
    for name in (*stats, *stats["days"][0], *NOTHING):
        assert f'"{name}"' in section


@pytest.fixture
def spool(tmp_path: Any) -> Spool:
    made = Spool(tmp_path)
    made.prepare()
    return made


@pytest.fixture(params=["index", "folders"])
def statistics(request: pytest.FixtureRequest, spool: Spool) -> Statistics:
    """Sums from the index, and from the jobs' folders if there is none."""
    index = JobIndex(spool.state)
    if request.param == "index":
        fill(spool, index)
    return Statistics(spool, index)


def sums_of(statistics: Statistics) -> dict[str, Any]:
    """The sums as the operator sees them."""
    return statistics.sums(may_see=lambda _: True, name_of=str)


def end_one(spool: Spool, number: int, result: dict[str, Any] | None) -> None:
    end_job(spool, f"00000000-0000-4000-8000-{number:012}", result=result)


def test_what_the_cli_wrote_may_be_anything(spool: Spool, statistics: Statistics) -> None:
    for number, result in enumerate(
        [
            None,
            {},
            {"total_cost_usd": "1", "usage": []},
            {"total_cost_usd": -1, "usage": {"input_tokens": None}},
            {"total_cost_usd": float("nan"), "usage": {"input_tokens": 10**400}},
            {"total_cost_usd": True, "usage": {"input_tokens": 1.5}},
        ]
    ):
        end_one(spool, number, result)
    stats = sums_of(statistics)
    (day,) = stats["days"]
    assert day == {
        "day": "2026-03-01",
        "jobs": 6,
        "cost_usd": 0,
        "tokens": {**NOTHING, "input": 1},
    }
    json.dumps(stats, allow_nan=False)


def test_jobs_that_were_removed_count_no_more(spool: Spool, statistics: Statistics) -> None:
    end_one(spool, 1, {"total_cost_usd": 1})
    end_one(spool, 2, {"total_cost_usd": 1})
    assert sums_of(statistics)["jobs"] == {"succeeded": 2}
    removed = spool.job("00000000-0000-4000-8000-000000000001")
    assert removed is not None
    spool.remove(removed)
    assert sums_of(statistics)["jobs"] == {"succeeded": 1}


def test_thousands_of_jobs_are_read_once(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2000):
        end_one(spool, number, {"total_cost_usd": 0.001})
    index = JobIndex(spool.state)
    fill(spool, index)
    read = []
    monkeypatch.setattr(Job, "request", lambda job: read.append(job.id))
    statistics = Statistics(spool, index)
    assert sums_of(statistics)["days"][0]["cost_usd"] == 2
    assert sums_of(statistics)["days"][0]["cost_usd"] == 2
    assert not read
