"""Talking to the real CLI while it works, against the stand-in for the model."""

import json
from typing import Any

import pytest

from tests.support.gateway import Gateway, Stream, eventually
from tests.support.model_api import Server
from tests.support.talk import (
    answered,
    any_question_of,
    lines_of,
    question_of,
    questions_of,
    runs_of,
    send_message,
    states_of,
)

pytestmark = pytest.mark.real

# The totals that count no ends.
LIVING = ("queued", "running", "waiting")
CHOICE = {
    "question": "Which color?",
    "header": "Color",
    "multiSelect": False,
    "options": [{"label": each, "description": each} for each in ("blue", "red")],
}


def tool_results(stream: Stream) -> str:
    """The tools that the model was given."""
    users = [line for line in lines_of(stream) if line["type"] == "user"]
    return json.dumps([line["message"]["content"] for line in users])


def result_of(gateway: Gateway, job_id: str) -> dict[str, Any]:
    """The record of a job that has ended."""
    record: dict[str, Any] = gateway.ask("GET", f"/jobs/{job_id}").json()
    return record


def test_a_permission_is_given_with_another_input(real: Gateway) -> None:
    stream = real.chat("bash: touch asked.txt", ask=True)
    question = question_of(real, stream.job_id)
    assert (question["kind"], question["tool_name"]) == ("tool", "Bash")
    assert question["input"]["command"] == "touch asked.txt"
    changed = {**question["input"], "command": "touch allowed.txt"}
    assert answered(real, question, updated_input=changed).status_code == 200
    assert stream.done()["status"] == "succeeded"
    assert (real.project / "allowed.txt").exists()
    assert not (real.project / "asked.txt").exists()
    assert questions_of(real, stream.job_id) == []


def test_a_permission_is_denied_and_the_model_reads_why(real: Gateway) -> None:
    stream = real.chat("bash: touch denied.txt", ask=True)
    question = question_of(real, stream.job_id)
    answered(real, question, "deny", message="Not in this project")
    assert "Not in this project" in tool_results(stream)
    assert not (real.project / "denied.txt").exists()
    assert result_of(real, stream.job_id)["status"] == "succeeded"


def test_a_question_that_expires_is_denied(real: Gateway) -> None:
    stream = real.chat("bash: touch expired.txt", ask=True, ask_timeout=1)
    any_question_of(real, stream.job_id)
    assert stream.done()["status"] == "succeeded"
    assert not (real.project / "expired.txt").exists()


def test_what_is_remembered_holds_for_the_run_and_is_written_nowhere(real: Gateway) -> None:
    stream = real.chat("bash: touch remembered.txt", ask=True, keep_alive=30)
    answered(real, question_of(real, stream.job_id), remember="run")
    session = stream.done()["session_id"]
    again = real.chat("bash: touch remembered.txt", ask=True, keep_alive=30, session_id=session)
    assert again.done()["status"] == "succeeded"
    (run,) = [row for row in runs_of(real) if row["session_id"] == session]
    assert run["jobs"] == 2
    assert real.ask("DELETE", f"/runs/{run['run_id']}").status_code == 200
    assert not (real.project / ".claude").exists()
    last = real.chat("bash: touch remembered.txt", ask=True, session_id=session)
    answered(real, question_of(real, last.job_id), "deny")
    last.done()


def test_claude_asks_and_gets_an_answer(real: Gateway) -> None:
    stream = real.chat(f"call: AskUserQuestion {json.dumps({'questions': [CHOICE]})}", ask=True)
    question = question_of(real, stream.job_id)
    assert question["kind"] == "question"
    assert answered(real, question, answers={"Which color?": "blue"}).status_code == 200
    assert 'Which color?\\"=\\"blue' in tool_results(stream).replace("\\\\", "\\")


def test_a_message_is_taken_in_after_the_tool(real: Gateway, model: Server) -> None:
    stream = real.chat("bash: touch message.txt", ask=True)
    question = question_of(real, stream.job_id)
    assert send_message(real, stream.job_id, "/clear is only a word").status_code == 202
    eventually(lambda: states_of(real, stream.job_id) == ["queued"])
    answered(real, question)
    assert stream.done()["status"] == "succeeded"
    assert states_of(real, stream.job_id) == ["completed"]
    assert "/clear is only a word" in json.dumps(model.asked[-1]["messages"])


def test_a_message_after_the_last_tool_gets_an_answer_in_the_same_job(real: Gateway) -> None:
    stream = real.chat("slow: 20 0.2", keep_alive=30)
    while b'"init"' not in stream.next().data:
        continue
    assert send_message(real, stream.job_id, "the last message").status_code == 202
    lines = lines_of(stream)
    results = [line for line in lines if line["type"] == "result"]
    assert [line["num_turns"] for line in results] == [1, 1]
    assert "the last message" in results[1]["result"]
    assert states_of(real, stream.job_id) == ["completed"]
    assert real.ask("DELETE", f"/runs/{stream.job_id}").status_code == 200


def test_the_message_of_a_job_that_has_just_been_requested_comes_after_its_prompt(
    real: Gateway, model: Server
) -> None:
    stream = real.chat("bash: touch early.txt", ask=True)
    assert send_message(real, stream.job_id, "an early message").status_code == 202
    answered(real, question_of(real, stream.job_id))
    assert stream.done()["status"] == "succeeded"
    assert (real.project / "early.txt").exists()
    text = json.dumps(model.asked[-1]["messages"])
    assert text.index("early.txt") < text.index("an early message")


@pytest.mark.parametrize("asks", [True, False], ids=["asking", "starting"])
def test_an_interrupted_run_serves_the_next_job(real: Gateway, asks: bool) -> None:
    stream = real.chat("bash: touch interrupted.txt", ask=True, keep_alive=30)
    question = question_of(real, stream.job_id) if asks else None
    assert real.ask("POST", f"/jobs/{stream.job_id}/interrupt").status_code == 202
    done = stream.done()
    assert (done["status"], done["exit_code"]) == ("cancelled", None)
    if question:
        assert answered(real, question).json()["code"] == "question_closed"
    again = real.chat("hello", session_id=done["session_id"], ask=True, keep_alive=30)
    assert again.done()["status"] == "succeeded"
    (run,) = [row for row in runs_of(real) if row["session_id"] == done["session_id"]]
    assert (run["run_id"], run["jobs"]) == (stream.job_id, 2)
    assert real.ask("DELETE", f"/runs/{run['run_id']}").status_code == 200
    assert not (real.project / "interrupted.txt").exists()


@pytest.mark.parametrize(
    "request_",
    [
        {"subtype": "get_context_usage"},
        {"subtype": "get_usage"},
        {"subtype": "get_session_cost"},
        {"subtype": "get_plan"},
        {"subtype": "get_workspace_diff"},
        {"subtype": "mcp_status"},
        {"subtype": "list_models"},
        {"subtype": "list_permission_rules"},
        {"subtype": "export_conversation"},
        {"subtype": "background_tasks"},
        {"subtype": "stop_task", "task_id": "x"},
        {"subtype": "set_permission_mode", "mode": "plan"},
        {"subtype": "rename_session", "title": "A name"},
    ],
    ids=lambda request_: request_["subtype"],
)
def test_the_cli_answers_what_clients_may_send(real: Gateway, request_: dict[str, str]) -> None:
    stream = real.chat("bash: touch control.txt", ask=True)
    question = question_of(real, stream.job_id)
    response = real.ask("POST", f"/jobs/{stream.job_id}/control", json=request_)
    assert response.status_code == 200, response.text
    assert response.json()["subtype"] == request_["subtype"]
    answered(real, question, "deny")
    assert stream.done()["status"] == "succeeded"


def test_the_words_of_the_cli_say_why_it_has_not_obeyed(real: Gateway) -> None:
    stream = real.chat("bash: touch control.txt", ask=True)
    question = question_of(real, stream.job_id)
    path = f"/jobs/{stream.job_id}/control"
    for body in (
        {"subtype": "set_permission_mode", "mode": "nonsense"},
        {"subtype": "get_task_output", "task_id": "nonsense"},
    ):
        response = real.ask("POST", path, json=body)
        assert (response.status_code, response.json()["code"]) == (424, "control_failed"), body
        assert response.json()["detail"]
    answered(real, question, "deny")
    stream.done()


def test_the_report_of_usage_has_each_job_of_a_kept_run_and_what_the_run_saves(
    real: Gateway,
) -> None:
    def used() -> dict[str, Any]:
        report: dict[str, Any] = real.ask("GET", "/usage").json()
        return report

    def ended() -> int:
        totals = real.ask("GET", "/jobs?totals=true&limit=1").json()["totals"]
        return sum(count for name, count in totals.items() if name not in LIVING)

    # An end is written into the ledger after its job's client has seen it.
    eventually(lambda: used()["total"]["jobs"] == ended())
    before = used()
    records: list[dict[str, Any]] = []
    session: dict[str, str] = {}
    for _ in range(3):
        done = real.chat("say one", keep_alive=60, **session).done()
        session = {"session_id": done["session_id"]}
        records.append(result_of(real, done["process_id"]))
    eventually(lambda: used()["total"]["jobs"] == before["total"]["jobs"] + 3)
    after = used()
    tokens = sum(record["usage"]["output_tokens"] for record in records)
    assert after["total"]["output_tokens"] == before["total"]["output_tokens"] + tokens
    cost = before["total"]["cost_usd"] + sum(record["total_cost_usd"] for record in records)
    assert after["total"]["cost_usd"] == pytest.approx(cost, abs=1e-5)
    starts = {kind: row["jobs"] for kind, row in after["starts"].items()}
    assert starts["cold"] == before["starts"]["cold"]["jobs"] + 1
    assert starts["kept"] == before["starts"]["kept"]["jobs"] + 2
    assert after["starts"]["kept"]["first_line_ms"] < after["starts"]["cold"]["first_line_ms"]
    assert after["saved_ms"] > 0
