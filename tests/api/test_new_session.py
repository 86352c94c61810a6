"""A new session whose id the client chooses (`new_session_id`)."""

import json
import threading
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.support.gateway import Gateway, eventually
from tests.support.two_users import ALICE, BOB, KEYS, by, chat


@pytest.fixture
def two(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with the operator, alice and bob."""
    return gateway_with(API_KEYS=KEYS)


def status(gateway: Gateway, key: str, **fields: object) -> tuple[int, str | None]:
    """The status of a request that starts a job, and the code of its error."""
    body = {"prompt": "result ok", "cwd": str(gateway.project), **fields}
    answer = gateway.ask("POST", "/chat", json=body, **by(key))
    code = answer.json()["code"] if answer.status_code >= 400 else None
    return answer.status_code, code


def ended(session: str) -> str:
    """A result line that names the session."""
    return json.dumps({"type": "result", "is_error": False, "session_id": session})


def test_it_is_the_users_from_the_start_and_exists_from_then_on(two: Gateway) -> None:
    new = str(uuid4())
    stream = chat(two, ALICE, "silent", new_session_id=new)
    (row,) = two.running()
    assert row["session_id"] == new
    for key in (ALICE, BOB):
        assert status(two, key, new_session_id=new) == (409, "session_exists")
        assert status(two, key, new_session_id=new.upper()) == (409, "session_exists")
    assert status(two, BOB, session_id=new) == (404, "session_not_found")
    stream.close()
    eventually(lambda: two.running() == [])
    assert status(two, ALICE, new_session_id=new) == (409, "session_exists")
    assert status(two, ALICE, session_id=new) == (200, None)


def test_a_session_that_a_job_began_by_itself_exists(two: Gateway) -> None:
    session = str(uuid4())
    chat(two, ALICE, f"system {session}", f"line {ended(session)}").done()
    for key in (ALICE, BOB):
        assert status(two, key, new_session_id=session) == (409, "session_exists")


def test_a_session_of_a_terminal_exists(two: Gateway) -> None:
    session = str(uuid4())
    transcript = two.home / ".claude/projects/-elsewhere" / f"{session}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.touch()
    assert status(two, ALICE, new_session_id=session) == (409, "session_exists")
    transcript.unlink()
    assert status(two, ALICE, new_session_id=session) == (200, None)


def test_a_fork_may_have_an_id_too(two: Gateway) -> None:
    first, second = str(uuid4()), str(uuid4())
    chat(two, ALICE, "result ok", new_session_id=first).done()
    fork = {"session_id": first, "fork_session": True, "new_session_id": second}
    assert status(two, BOB, **fork) == (404, "session_not_found")
    assert status(two, ALICE, **fork) == (200, None)
    assert status(two, ALICE, **fork) == (409, "session_exists")
    assert status(two, ALICE, session_id=second) == (200, None)


def test_of_many_at_once_one_begins_it(two: Gateway) -> None:
    new = str(uuid4())
    found: list[tuple[int, str | None]] = []
    threads = [
        threading.Thread(target=lambda: found.append(status(two, ALICE, new_session_id=new)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(200, None), *[(409, "session_exists")] * 7]


def test_a_request_that_is_sent_again_gets_its_job(two: Gateway) -> None:
    new = str(uuid4())
    body = {"prompt": "result ok", "cwd": str(two.project), "new_session_id": new}
    headers = {**by(ALICE)["headers"], "Idempotency-Key": new}
    answers = [
        two.ask("POST", "/chat", json=body, auth=None, headers=headers, stream=True)
        for _ in range(2)
    ]
    first, second = (two.opened(answer) for answer in answers)
    assert first.job_id == second.job_id
    first.done()
    second.done()


def test_a_session_that_no_job_began_is_free_again(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(MAX_JOBS="1", QUEUE_SIZE="0")
    new = str(uuid4())
    running = gateway.chat("silent")
    assert gateway.post("result ok", new_session_id=new).status_code == 429
    running.close()
    eventually(lambda: gateway.running() == [])
    assert gateway.chat("result ok", new_session_id=new).done()["status"] == "succeeded"


def test_a_job_that_was_cancelled_in_the_queue_leaves_its_id_free(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    new = str(uuid4())
    running = gateway.chat("silent")
    waiting = gateway.chat("result ok", new_session_id=new)
    assert gateway.post("result ok", new_session_id=new).status_code == 409
    assert gateway.ask("DELETE", f"/chat/{waiting.job_id}").status_code == 200
    running.close()
    eventually(lambda: gateway.running() == [])
    assert gateway.chat("result ok", new_session_id=new).done()["status"] == "succeeded"
    assert gateway.post("result ok", new_session_id=new).status_code == 409


def test_a_chat_completion_begins_a_session_with_an_id(two: Gateway) -> None:
    new = str(uuid4())
    body = {
        "model": "sonnet",
        "messages": [{"role": "user", "content": "say hi\nresult ok"}],
        "claude": {"new_session_id": new},
    }
    answer = two.ask("POST", "/v1/chat/completions", json=body, **by(ALICE))
    assert answer.status_code == 200
    run = two.state / "runs" / answer.headers["X-Process-ID"]
    arguments = json.loads((run / "start.json").read_text())["arguments"]
    assert [each for each in arguments if "--session-id" in each] == [f"--session-id={new}"]
    again = two.ask("POST", "/v1/chat/completions", json=body, **by(ALICE))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "session_exists")
    body["claude"] = {"new_session_id": str(uuid4()), "session_id": "a-name"}
    named = two.ask("POST", "/v1/chat/completions", json=body, **by(ALICE))
    assert named.status_code == 400
    assert "new_session_id" in named.json()["error"]["message"]
