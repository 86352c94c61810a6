"""What clients may not say to jobs: each is a clear 4xx, starts nothing, and is in no log."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from app.records.inbox import Inbox
from tests.support.gateway import Gateway, eventually
from tests.support.talk import ASK, any_question_of, question_of
from tests.support.two_users import ALICE, BOB, KEYS, by, chat

SECRET = "s3cret-of-a-client"  # noqa: S105 - of a test
ALLOW = {"behavior": "allow", "message": SECRET}
DENY = {"behavior": "deny", "message": SECRET}


def code_of(gateway: Gateway, key: str, path: str, body: Any = None) -> tuple[int, str]:
    """The status and the code of a refused request, which must not repeat what it was sent."""
    response = gateway.ask("DELETE" if body is None else "POST", path, json=body, **by(key))
    assert SECRET not in response.text
    return response.status_code, response.json()["code"]


def test_what_is_refused_starts_nothing_and_is_in_no_log(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(API_KEYS=KEYS)
    stream = chat(gateway, ALICE, ASK, ASK, ask=True, ask_timeout=60)
    job, first = stream.job_id, question_of(gateway, stream.job_id)["question_id"]
    missing = str(uuid4())
    mistyped = {"subtype": "get_plan", "title": SECRET}

    # Another user's job, question and run do not exist, and neither do unknown ones.
    for key, of in ((BOB, job), (ALICE, missing)):
        unknown = (404, "process_not_found")
        assert code_of(gateway, key, f"/jobs/{of}/questions/{first}", ALLOW) == unknown
        assert code_of(gateway, key, f"/jobs/{of}/messages", {"text": SECRET}) == unknown
        assert code_of(gateway, key, f"/jobs/{of}/control", {"subtype": "get_plan"}) == unknown
        assert code_of(gateway, key, f"/jobs/{of}/interrupt", {}) == unknown
        assert code_of(gateway, key, f"/chat/{of}") == unknown
        assert code_of(gateway, key, f"/jobs/{of}") == unknown
        assert code_of(gateway, key, f"/runs/{of}") == (404, "run_not_found")
    path = f"/jobs/{job}/questions"
    assert code_of(gateway, ALICE, f"{path}/{missing}", ALLOW)[0] == 404

    # What belongs to the gateway, and what is malformed.
    for subtype in ("interrupt", "end_session", "initialize", "can_use_tool", SECRET):
        body = {"subtype": subtype}
        response = gateway.ask("POST", f"/jobs/{job}/control", json=body, **by(ALICE))
        assert (response.status_code, response.json()["code"]) == (400, "control_not_allowed")
    response = gateway.ask("POST", f"/jobs/{job}/control", json=mistyped, **by(ALICE))
    assert response.status_code == 422
    assert not Inbox(str(gateway.state / "jobs" / job)).names()

    # A question that is answered, and one that has expired.
    answered = gateway.ask("POST", f"{path}/{first}", json=DENY, **by(ALICE))
    assert answered.status_code == 200
    assert code_of(gateway, ALICE, f"{path}/{first}", ALLOW) == (409, "already_answered")
    second = question_of(gateway, job)["question_id"]
    gateway.ask("POST", f"{path}/{second}", json=DENY, **by(ALICE))
    assert stream.done()["status"] == "succeeded"
    brief = chat(gateway, ALICE, ASK, ask=True, ask_timeout=0.5)
    expired = any_question_of(gateway, brief.job_id)["question_id"]
    brief.done()
    path = f"/jobs/{brief.job_id}/questions"
    assert code_of(gateway, ALICE, f"{path}/{expired}", ALLOW) == (409, "question_closed")

    # A job that has ended.
    ended = (409, "job_ended")
    assert code_of(gateway, ALICE, f"/jobs/{job}/messages", {"text": SECRET}) == ended
    assert code_of(gateway, ALICE, f"/jobs/{job}/control", {"subtype": "get_plan"}) == ended

    # Variables that steer the CLI.
    before = {row["process_id"] for row in gateway.ask("GET", "/jobs").json()["jobs"]}
    start = {"prompt": SECRET, "cwd": str(gateway.project)}
    env = {"CLAUDE_CODE_X": SECRET}
    for fields in ({"env": env}, {"settings": json.dumps({"env": env})}):
        response = gateway.ask("POST", "/chat", json={**start, **fields}, **by(ALICE))
        assert response.status_code == 422
        assert "CLAUDE_CODE_X" in response.text
        assert SECRET not in response.text

    eventually(lambda: not gateway.running())
    assert {row["process_id"] for row in gateway.ask("GET", "/jobs").json()["jobs"]} == before
    assert gateway.ask("GET", "/runs").json()["runs"] == []
    assert SECRET not in gateway.log()
    assert "Traceback" not in gateway.log()
