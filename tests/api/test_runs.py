"""`/runs`: which processes of the CLI there are, and their end, with the fake CLI."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.api.test_metrics import scraped
from tests.support.gateway import Gateway, eventually, marked_in
from tests.support.talk import asking, runs_of
from tests.support.two_users import ALICE, BOB, KEYS, by, chat
from tests.support.waiting import begin


@pytest.fixture
def own(start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway without runs, with the operator, alice and bob."""
    return start_gateway(API_KEYS=KEYS)


def test_a_kept_run_is_listed_while_it_is_idle_and_busy(own: Gateway) -> None:
    session = own.chat("line x", keep_alive=30).done()["session_id"]
    (idle,) = runs_of(own)
    assert idle["state"] == "idle"
    assert idle["session_id"] == session
    assert idle["cwd"] == str(own.project)
    assert (idle["model"], idle["user"], idle["jobs"]) == ("sonnet", "admin", 1)
    assert idle["process_id"] is None
    assert idle["idle_since"] is not None
    assert idle["memory_bytes"] > 1_000_000
    stream = own.chat("line x", "silent", session_id=session, keep_alive=30)
    eventually(lambda: runs_of(own)[0]["state"] == "busy")
    (busy,) = runs_of(own)
    assert busy["run_id"] == idle["run_id"]
    assert (busy["process_id"], busy["jobs"], busy["idle_since"]) == (stream.job_id, 2, None)


def test_the_run_of_any_job_is_listed(own: Gateway) -> None:
    stream = begin(own, "silent")
    (run,) = runs_of(own)
    assert (run["run_id"], run["process_id"]) == (stream.job_id, stream.job_id)
    assert (run["state"], run["jobs"]) == ("busy", 1)
    stream.close()
    eventually(lambda: not runs_of(own))


def test_what_the_cli_does_by_itself_is_counted(own: Gateway) -> None:
    go = own.folder / "go"
    own.chat(f"own {go}", keep_alive=30).done()
    go.touch()
    eventually(lambda: runs_of(own)[0]["own_turns"] == 1)
    assert runs_of(own)[0]["own_cost_usd"] == 0.25


def test_an_idle_run_is_ended(own: Gateway) -> None:
    session = own.chat("child session", keep_alive=30).done()["session_id"]
    (run,) = runs_of(own)
    response = own.ask("DELETE", f"/runs/{run['run_id']}")
    assert response.json() == {"status": "ended", "run_id": run["run_id"]}
    assert not marked_in(own.state)
    assert runs_of(own) == []
    assert own.ask("DELETE", f"/runs/{run['run_id']}").status_code == 404
    assert f"run {run['run_id']} is ended: requested by admin" in own.log()
    # The session is as it was.
    again = own.chat("line x", session_id=session, keep_alive=30)
    assert again.done()["status"] == "succeeded"
    assert [row["run_id"] for row in runs_of(own)] == [again.job_id]


def test_a_busy_run_ends_with_its_job(own: Gateway) -> None:
    session = own.chat("line x", keep_alive=30).done()["session_id"]
    stream = own.chat("child deaf session", "silent", session_id=session, keep_alive=30)
    (run,) = runs_of(own)
    assert own.ask("DELETE", f"/runs/{run['run_id']}").status_code == 200
    assert stream.done()["status"] == "cancelled"
    assert not marked_in(own.state)
    assert runs_of(own) == []


def test_the_run_of_a_plain_job_ends_with_it(own: Gateway) -> None:
    stream = begin(own, "silent")
    assert own.ask("DELETE", f"/runs/{stream.job_id}").status_code == 200
    assert stream.done()["status"] == "cancelled"


def test_a_run_is_ended_once_however_many_ask(own: Gateway) -> None:
    own.chat("line x", keep_alive=30).done()
    (run,) = runs_of(own)
    with ThreadPoolExecutor(6) as pool:
        path = f"/runs/{run['run_id']}"
        responses = list(pool.map(lambda _: own.ask("DELETE", path), range(6)))
    assert {each.status_code for each in responses} <= {200, 404}
    assert 200 in {each.status_code for each in responses}
    assert runs_of(own) == []


def test_users_see_and_end_their_own_runs(own: Gateway) -> None:
    chat(own, ALICE, "line x", keep_alive=30).done()
    (run,) = runs_of(own, **by(ALICE))
    assert run["user"] == "alice"
    assert runs_of(own, **by(BOB)) == []
    assert [row["run_id"] for row in runs_of(own)] == [run["run_id"]]
    response = own.ask("DELETE", f"/runs/{run['run_id']}", **by(BOB))
    unknown = own.ask("DELETE", f"/runs/{uuid4()}", **by(BOB))
    assert response.status_code == unknown.status_code == 404
    assert response.json()["code"] == unknown.json()["code"] == "run_not_found"
    assert own.ask("DELETE", f"/runs/{run['run_id']}", **by(ALICE)).status_code == 200


def test_an_interrupt_leaves_the_run_at_any_moment_of_a_job(own: Gateway) -> None:
    session, jobs = None, 0
    for wait_for in (None, None, b"started", b"init", b"asked"):
        stream = own.chat("line asked", "silent", session_id=session, keep_alive=30)
        while wait_for and wait_for not in stream.next().data:
            continue
        assert own.ask("POST", f"/jobs/{stream.job_id}/interrupt").status_code == 202
        done = stream.done()
        assert (done["status"], done["exit_code"]) == ("cancelled", None), wait_for
        session, jobs = done["session_id"], jobs + 1
        assert [(row["state"], row["jobs"]) for row in runs_of(own)] == [("idle", jobs)]
    again = own.chat("line x", session_id=session, keep_alive=30)
    assert again.messages().count(b"x") == 1
    assert [row["jobs"] for row in runs_of(own)] == [jobs + 1]


def test_runs_and_questions_are_counted(own: Gateway) -> None:
    names = ("starting", "busy", "idle", "held", "spare")

    def counted() -> list[float]:
        samples = scraped(own)
        runs = [samples[f'claudecode2api_runs{{state="{name}"}}'] for name in names]
        return [*runs, samples["claudecode2api_questions"]]

    assert counted() == [0, 0, 0, 0, 0, 0]
    own.chat("line x", keep_alive=30).done()
    assert counted() == [0, 0, 1, 0, 0, 0]
    asking(own)
    assert counted() == [0, 1, 1, 0, 0, 1]
