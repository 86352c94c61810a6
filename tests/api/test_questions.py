"""The CLI's questions to the client, with the fake CLI."""

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
import requests

from app.auth.users import User, Users
from app.errors import AlreadyAnswered
from app.jobs.questions import Questions
from app.jobs.service import JobService
from app.jobs.store import Spool
from app.records.inbox import Answer, Inbox, Question
from app.records.job import Job
from app.timestamps import now
from tests.support.gateway import Gateway, eventually
from tests.support.pending import pending
from tests.support.talk import (
    ASK,
    answered,
    any_question_of,
    asking,
    lines_of,
    question_of,
    questions_of,
    runs_of,
)
from tests.support.two_users import ALICE, BOB, KEYS, by, chat

SECRET = "the-secret-of-the-answer"  # noqa: S105
CHOICE = {"questions": [{"question": "Which?", "options": []}, {"question": "And?"}]}
CHOOSE = f"ask AskUserQuestion {json.dumps(CHOICE)}"


def answer_in(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What the fake CLI got as the answer to its question."""
    found: dict[str, Any] = next(line for line in lines if line["type"] == "answered")
    response: dict[str, Any] = found["answer"]["response"]
    return response


def code_of(response: Any) -> tuple[int, str]:
    """The status and the code of an error."""
    return response.status_code, response.json()["code"]


def test_a_question_says_what_it_is_about(gateway: Gateway) -> None:
    stream, question = asking(gateway, ask_timeout=100)
    assert question["process_id"] == stream.job_id
    assert question["kind"] == "tool"
    assert question["tool_name"] == "Bash"
    assert question["input"] == {"command": "make"}
    assert question["description"] == "Do it"
    assert [each["type"] for each in question["suggestions"]] == [
        *("addRules", "addDirectories", "setMode")
    ]
    assert question["asked_at"] < question["expires_at"]
    assert question in gateway.ask("GET", "/questions").json()["questions"]
    answered(gateway, question)
    stream.done()
    assert questions_of(gateway, stream.job_id) == []
    assert gateway.ask("GET", "/questions").json()["questions"] == []


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ({"behavior": "allow"}, {"behavior": "allow", "updatedInput": {"command": "make"}}),
        (
            {"behavior": "allow", "updated_input": {"command": "make -n"}},
            {"behavior": "allow", "updatedInput": {"command": "make -n"}},
        ),
        ({"behavior": "deny"}, {"behavior": "deny", "message": "The user denied this"}),
        (
            {"behavior": "deny", "message": "Not today"},
            {"behavior": "deny", "message": "Not today"},
        ),
    ],
)
def test_an_answer_reaches_the_cli(
    gateway: Gateway, answer: dict[str, Any], response: dict[str, Any]
) -> None:
    stream, question = asking(gateway)
    sent = answered(gateway, question, **answer)
    assert sent.status_code == 200
    assert sent.json() == {
        "question_id": question["question_id"],
        "process_id": stream.job_id,
        "behavior": answer["behavior"],
    }
    assert answer_in(lines_of(stream)) == response


def test_what_is_remembered_ends_with_the_run(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    answered(gateway, question, remember="run")
    updates = answer_in(lines_of(stream))["updatedPermissions"]
    assert [each["type"] for each in updates] == ["addRules", "addDirectories"]
    # Suggested was localSettings, which is a file of the project.
    assert {each["destination"] for each in updates} == {"session"}


def test_a_run_with_remembered_rules_serves_no_job_that_is_not_asked(gateway: Gateway) -> None:
    stream, question = asking(gateway, keep_alive=30)
    answered(gateway, question, remember="run")
    session = stream.done()["session_id"]
    (run,) = runs_of(gateway)
    again, question = asking(gateway, session_id=session, keep_alive=30)
    assert [(row["run_id"], row["jobs"]) for row in runs_of(gateway)] == [(run["run_id"], 2)]
    answered(gateway, question)
    again.done()
    other = gateway.chat(
        "line x", session_id=session, keep_alive=30, permission_mode="default", tools=["Bash"]
    )
    other.done()
    assert run["run_id"] not in [row["run_id"] for row in runs_of(gateway)]


def test_claude_asks_and_gets_an_answer_to_each_question(gateway: Gateway) -> None:
    stream, question = asking(gateway, CHOOSE)
    assert (question["kind"], question["input"]) == ("question", CHOICE)
    given = {"Which?": ["a", "b"], "And?": "c"}
    assert answered(gateway, question, answers=given).status_code == 200
    assert answer_in(lines_of(stream))["updatedInput"] == {
        **CHOICE,
        "answers": {"Which?": "a, b", "And?": "c"},
    }


@pytest.mark.parametrize(
    "answers", [None, {}, {"Which?": "a"}, {"Which?": "a", "And?": "b", SECRET: "c"}]
)
def test_each_question_of_claude_needs_an_answer(
    gateway: Gateway, answers: dict[str, str] | None
) -> None:
    stream, question = asking(gateway, CHOOSE)
    assert code_of(answered(gateway, question, answers=answers)) == (422, "invalid_request")
    assert SECRET not in gateway.log()
    assert answered(gateway, question, "deny").status_code == 200
    stream.done()


def test_a_plan_is_a_kind_of_question(gateway: Gateway) -> None:
    stream, question = asking(gateway, 'ask ExitPlanMode {"plan": "First"}')
    assert question["kind"] == "plan"
    answered(gateway, question)
    stream.done()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"behavior": "maybe"},
        {"behavior": "allow", "message": SECRET},
        {"behavior": "deny", "updated_input": {"command": SECRET}},
        {"behavior": "deny", "answers": {"a": SECRET}},
        {"behavior": "deny", "remember": "run"},
        {"behavior": "deny", "message": f"{SECRET}\0"},
        {"behavior": "deny", "message": "x" * 10_001},
        {"behavior": "allow", "remember": "project"},
        {"behavior": "allow", "updated_input": SECRET},
        {"behavior": "allow", "updated_input": {}, "answers": {}},
        {"behavior": "allow", "answers": {"Which?": SECRET}},
        {"behavior": "allow", "updatedInput": {"command": SECRET}},
        [],
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_an_answer_that_is_none_is_refused(gateway: Gateway, body: Any) -> None:
    stream, question = asking(gateway)
    path = f"/jobs/{stream.job_id}/questions/{question['question_id']}"
    assert code_of(gateway.ask("POST", path, json=body)) == (422, "invalid_request")
    assert SECRET not in gateway.log()
    # It is open as before.
    assert answered(gateway, question).status_code == 200
    stream.done()


def test_a_question_is_answered_once_however_many_answer(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    with ThreadPoolExecutor(8) as pool:
        kinds = ["allow", "deny"] * 4
        responses = list(pool.map(lambda kind: answered(gateway, question, kind), kinds))
    winners = [each for each in responses if each.status_code == 200]
    losers = [each for each in responses if each.status_code != 200]
    assert len(winners) == 1
    behavior = winners[0].json()["behavior"]
    assert {code_of(each) for each in losers} == {(409, "already_answered")}
    # It says who and what.
    assert all(f"by admin: {behavior}" in each.json()["detail"] for each in losers)
    assert answer_in(lines_of(stream))["behavior"] == behavior
    assert code_of(answered(gateway, question)) == (409, "already_answered")


def test_who_answers_when_the_job_has_just_ended_is_told_what_was_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(str(tmp_path), str(uuid4()))
    Path(job.path).mkdir(parents=True)
    inbox = Inbox(job.path)
    inbox.create()
    inbox.ask(Question("q1", "tool", "Bash", {}, None, [], now(), now()))
    answer = Inbox.answer

    def answer_late(to: Inbox, question_id: str, given: Answer) -> None:
        answer(to, question_id, Answer("deny", now(), "alice"))
        to.close()
        answer(to, question_id, given)

    monkeypatch.setattr(Inbox, "answer", answer_late)
    questions = Questions(
        cast(JobService, SimpleNamespace(find=lambda *_: job)),
        cast(Spool, SimpleNamespace(close_if_dead=lambda _: False)),
        cast(Users, SimpleNamespace(name_of=str)),
    )
    with pytest.raises(AlreadyAnswered, match="by alice: deny"):
        questions.answer(job.id, "q1", User("bob", "bob"), Answer("allow", now(), "bob"))


def test_a_question_of_an_interrupted_job_is_closed(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    gateway.ask("POST", f"/jobs/{stream.job_id}/interrupt")
    assert stream.done()["status"] == "cancelled"
    assert code_of(answered(gateway, question)) == (409, "question_closed")


def test_a_question_of_a_cancelled_job_is_closed(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    gateway.ask("DELETE", f"/chat/{stream.job_id}")
    assert code_of(answered(gateway, question)) == (409, "question_closed")


def test_a_question_that_expires_is_denied(gateway: Gateway) -> None:
    stream = gateway.chat(ASK, ask=True, ask_timeout=0.5)
    question = any_question_of(gateway, stream.job_id)
    assert answer_in(lines_of(stream))["behavior"] == "deny"
    response = answered(gateway, question)
    assert code_of(response) == (409, "question_closed")
    assert "expired" in response.json()["detail"]


def test_what_a_job_never_asked_is_not_found(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    for unknown in ("x", "..", "%2e%2e", "a" * 300, "a.b"):
        path = f"/jobs/{stream.job_id}/questions/{unknown}"
        response = gateway.ask("POST", path, json={"behavior": "allow"})
        assert response.status_code == 404, unknown
    assert answered(gateway, {**question, "process_id": "x"}).status_code == 404
    answered(gateway, question)
    stream.done()


def test_a_job_that_does_not_ask_has_no_questions(gateway: Gateway) -> None:
    stream = gateway.chat(ASK, keep_alive=1)
    assert answer_in(lines_of(stream))["behavior"] == "deny"
    assert questions_of(gateway, stream.job_id) == []


def test_silence_counts_not_while_the_job_asks(gateway: Gateway) -> None:
    stream, question = asking(gateway, ASK, "line done", idle_timeout=4)
    # Longer than it may be silent, which is longer than the CLI needs to say its first line.
    time.sleep(4.5)
    assert answered(gateway, question).status_code == 200
    assert stream.done()["status"] == "succeeded"


def test_who_waits_for_a_question_gets_it_at_once(gateway: Gateway) -> None:
    def wait() -> float:
        response = gateway.ask("GET", "/questions?wait=60")
        assert len(response.json()["questions"]) == 1
        return time.monotonic()

    late = []
    for _ in range(5):
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(wait)
            stream, question = asking(gateway)
            asked = time.monotonic()
            late.append(waiting.result() - asked)
        answered(gateway, question)
        stream.done()
    # A process may stand still for seconds; a wait that nothing has woken looks after 15.
    assert min(late) < 0.5 and max(late) < 10, late


def test_a_wait_without_a_question_ends(gateway: Gateway) -> None:
    started = time.monotonic()
    assert gateway.ask("GET", "/questions?wait=0.4").json() == {"questions": []}
    assert 0.4 <= time.monotonic() - started < 5
    for wrong in ("x", "-1", "301", ""):
        response = gateway.ask("GET", f"/questions?wait={wrong}")
        assert code_of(response) == (422, "invalid_request"), wrong


def test_users_see_and_answer_their_own_questions(gateway_with: Callable[..., Gateway]) -> None:
    gateway = gateway_with(API_KEYS=KEYS)
    stream = chat(gateway, ALICE, ASK, ask=True)
    question = question_of(gateway, stream.job_id)
    assert gateway.ask("GET", "/questions", **by(ALICE)).json()["questions"] == [question]
    assert gateway.ask("GET", "/questions", **by(BOB)).json()["questions"] == []
    assert gateway.ask("GET", f"/jobs/{stream.job_id}/questions", **by(BOB)).status_code == 404
    path = f"/jobs/{stream.job_id}/questions/{question['question_id']}"
    response = gateway.ask("POST", path, json={"behavior": "allow"}, **by(BOB))
    assert code_of(response) == (404, "process_not_found")
    assert gateway.ask("POST", path, json={"behavior": "deny"}, **by(ALICE)).status_code == 200
    assert answer_in(lines_of(stream))["behavior"] == "deny"
    response = gateway.ask("POST", path, json={"behavior": "allow"})
    assert "by alice: deny" in response.json()["detail"]


def test_a_wait_ends_when_its_client_hangs_up(gateway_with: Callable[..., Gateway]) -> None:
    gateway = gateway_with()
    before = gateway.log().count("GET /questions [")
    with pytest.raises(requests.ReadTimeout):
        gateway.ask("GET", "/questions?wait=61", timeout=0.3)
    eventually(lambda: gateway.log().count("GET /questions [") > before)


def test_a_stop_ends_the_waits(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(WORKERS="1")
    with pending(gateway, "/questions?wait=60") as connection:
        started = time.monotonic()
        gateway.stop()
        assert time.monotonic() - started < 10
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["code"]) == (503, "gateway_stops")


def test_a_question_outlives_the_gateway(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    stream = gateway.chat(ASK, ask=True, detach=True)
    question = question_of(gateway, stream.job_id)
    gateway.kill_workers()
    assert questions_of(gateway, stream.job_id) == [question]
    gateway.reload()
    assert questions_of(gateway, stream.job_id) == [question]
    os.kill(gateway.launcher(), signal.SIGKILL)
    gateway.kill_master()
    gateway.start()
    assert gateway.ask("GET", "/questions").json()["questions"] == [question]
    assert answered(gateway, question).status_code == 200
    assert answer_in(lines_of(gateway.resume(stream.job_id)))["behavior"] == "allow"


def test_the_question_of_a_lost_job_is_closed(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    stream, question = asking(gateway)
    os.kill(gateway.processes_of(stream.job_id).supervisor.pid, signal.SIGKILL)
    eventually(lambda: not gateway.ask("GET", "/questions").json()["questions"])
    assert stream.done()["status"] == "lost"
    assert code_of(answered(gateway, question)) == (409, "question_closed")
    eventually(
        lambda: [each.name for each in (gateway.state / "questions").iterdir()] == ["changes"]
    )


def test_what_a_job_puts_into_the_list_is_removed(gateway: Gateway) -> None:
    folder = gateway.state / "questions"
    for name in ("x", f"{'a' * 36}.x", "00000000-0000-4000-8000-000000000000.x"):
        (folder / name).touch()
    (folder / "folder").mkdir()
    assert gateway.ask("GET", "/questions").json() == {"questions": []}
    left = {each.name for each in folder.iterdir()} - {"changes"}
    assert not [name for name in left if not name.startswith("folder.aside")]
