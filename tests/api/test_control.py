"""Control requests of clients to the CLI of a job, with the fake CLI."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import requests

from app.cli.control_requests import ALLOWED
from app.records.inbox import Inbox
from tests.support.gateway import Gateway, eventually
from tests.support.talk import ASK, answered, asking, await_turns, runs_of
from tests.support.waiting import begin, flag

SECRET = "the-secret-of-the-request"  # noqa: S105


def sent(gateway: Gateway, job_id: str, subtype: str, **fields: Any) -> requests.Response:
    """The response to a control request."""
    body = {"subtype": subtype, **fields}
    return gateway.ask("POST", f"/jobs/{job_id}/control", json=body)


def code_of(response: requests.Response) -> tuple[int, str]:
    """The status and the code of an error."""
    return response.status_code, response.json()["code"]


def test_the_cli_answers_a_control_request(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    response = sent(gateway, stream.job_id, "get_session_cost")
    assert response.status_code == 200
    # The fake repeats what it got.
    assert response.json() == {
        "process_id": stream.job_id,
        "subtype": "get_session_cost",
        "response": {"subtype": "get_session_cost"},
    }
    assert sent(gateway, stream.job_id, "get_usage").json()["response"] == {
        "subtype": "get_usage",
        "skip_behaviors": True,
    }
    answered(gateway, question)
    assert stream.done()["status"] == "succeeded"


def test_an_answer_is_found_among_many_lines(gateway: Gateway) -> None:
    await_turns(gateway)
    stream = gateway.chat(f"babble 0.0001 {flag(gateway, 'go')}", keep_alive=1)
    with ThreadPoolExecutor(4) as pool:
        kinds = ["mcp_status", "get_session_cost"] * 10
        responses = list(pool.map(lambda kind: sent(gateway, stream.job_id, kind), kinds))
    assert [each.status_code for each in responses] == [200] * len(kinds), [
        each.text for each in responses
    ]
    assert [each.json()["response"]["subtype"] for each in responses] == kinds
    flag(gateway, "go").touch()
    stream.done()


def test_what_the_cli_refuses_is_an_error_with_its_words(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    response = sent(gateway, stream.job_id, "get_plan")
    assert code_of(response) == (424, "control_failed")
    assert response.json()["detail"] == "Not supported"
    answered(gateway, question)
    stream.done()


@pytest.mark.parametrize(
    "subtype",
    [
        "interrupt",
        "end_session",
        "initialize",
        "claim_session",
        "can_use_tool",
        "side_question",
        "x",
    ],
)
def test_other_control_requests_are_not_allowed(gateway: Gateway, subtype: str) -> None:
    stream, question = asking(gateway)
    response = sent(gateway, stream.job_id, subtype)
    assert code_of(response) == (400, "control_not_allowed")
    assert all(name in response.json()["detail"] for name in ALLOWED)
    assert not Inbox(str(gateway.state / "jobs" / stream.job_id)).names()
    answered(gateway, question)
    stream.done()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"subtype": None},
        {"subtype": ["get_plan"]},
        {"subtype": "get_plan", "path": SECRET},
        {"subtype": "get_plan", "request_id": SECRET},
        {"subtype": "get_context_usage", "detail": "full"},
        {"subtype": "stop_task"},
        {"subtype": "stop_task", "task_id": 1},
        {"subtype": "stop_task", "task_id": ""},
        {"subtype": "rename_session", "title": f"{SECRET}\0"},
        {"subtype": "rename_session", "title": "x" * 1001},
        {"subtype": "set_model", "model": None},
        [],
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_a_malformed_control_request_is_refused(gateway: Gateway, body: Any) -> None:
    stream, question = asking(gateway)
    response = gateway.ask("POST", f"/jobs/{stream.job_id}/control", json=body)
    assert code_of(response) == (422, "invalid_request")
    assert not Inbox(str(gateway.state / "jobs" / stream.job_id)).names()
    assert SECRET not in gateway.log()
    answered(gateway, question)
    stream.done()


def test_the_operator_can_allow_more(gateway_with: Callable[..., Gateway]) -> None:
    gateway = gateway_with(CONTROL_ALLOWED="side_question, mcp_toggle")
    stream, question = asking(gateway, keep_alive=30)
    fields = {"question": "?", "more": {"a": [1, None]}, "request_id": "x"}
    assert code_of(sent(gateway, stream.job_id, "side_question", **fields)) == (
        424,
        "control_failed",
    )
    answered(gateway, question)
    assert stream.done()["status"] == "succeeded"
    # What it has changed is unknown.
    assert runs_of(gateway) == []


@pytest.mark.parametrize(
    ("request_", "stays"),
    [
        ({"subtype": "get_usage"}, True),
        ({"subtype": "set_model", "model": "haiku"}, False),
        ({"subtype": "set_permission_mode", "mode": "bypassPermissions"}, False),
    ],
)
def test_what_a_job_has_changed_is_not_there_for_the_next(
    gateway: Gateway, request_: dict[str, str], stays: bool
) -> None:
    stream, question = asking(gateway, keep_alive=30)
    response = gateway.ask("POST", f"/jobs/{stream.job_id}/control", json=request_)
    assert response.status_code == 200
    answered(gateway, question)
    assert stream.done()["status"] == "succeeded"
    found = [row["run_id"] for row in runs_of(gateway)]
    assert found == ([stream.job_id] if stays else [])
    for run_id in found:
        gateway.ask("DELETE", f"/runs/{run_id}")


def test_a_job_that_takes_no_control_requests_says_why(gateway: Gateway) -> None:
    plain = begin(gateway, "silent")
    assert code_of(sent(gateway, plain.job_id, "get_plan")) == (409, "plain_job")
    ended = gateway.chat("line x", keep_alive=1)
    ended.done()
    assert code_of(sent(gateway, ended.job_id, "get_plan")) == (409, "job_ended")
    assert sent(gateway, str(uuid4()), "get_plan").status_code == 404


def test_a_job_that_ends_meanwhile_has_ended(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sent, gateway, stream.job_id, "get_workspace_diff")
        inbox = Inbox(str(gateway.state / "jobs" / stream.job_id))
        eventually(inbox.names)
        answered(gateway, question)
        assert code_of(waiting.result()) == (409, "job_ended")
    assert stream.done()["status"] == "succeeded"


def test_a_cli_that_does_not_answer_is_a_timeout(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    gateway.stop()
    gateway.copy_code()
    view = gateway.code / "app/api/control.py"
    text = view.read_text(encoding="utf-8")
    view.write_text(text.replace("PATIENCE = 30.0", "PATIENCE = 0.5"), encoding="utf-8")
    gateway.start()
    stream, question = asking(gateway)
    started = time.monotonic()
    response = sent(gateway, stream.job_id, "get_workspace_diff")
    assert code_of(response) == (504, "control_timeout")
    assert time.monotonic() - started < 10
    answered(gateway, question)
    assert stream.done()["status"] == "succeeded"


def test_a_queued_job_answers_when_it_has_begun(gateway_with: Callable[..., Gateway]) -> None:
    gateway = gateway_with(MAX_JOBS="1")
    first = begin(gateway, f"await {flag(gateway, 'go')}")
    queued = gateway.chat(f"await {flag(gateway, 'end')}", keep_alive=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sent, gateway, queued.job_id, "get_usage")
        eventually(Inbox(str(gateway.state / "jobs" / queued.job_id)).names)
        flag(gateway, "go").touch()
        assert waiting.result().status_code == 200
    flag(gateway, "end").touch()
    first.done()
    assert queued.done()["status"] == "succeeded"


def test_a_stop_ends_the_wait_and_says_that_the_job_goes_on(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    stream = gateway.chat(ASK, ask=True, detach=True)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sent, gateway, stream.job_id, "get_workspace_diff")
        eventually(Inbox(str(gateway.state / "jobs" / stream.job_id)).names)
        gateway.reload()
        assert code_of(waiting.result()) == (424, "gateway_stops")
    assert gateway.running()[0]["process_id"] == stream.job_id
