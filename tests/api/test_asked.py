"""`GET /jobs/{process_id}/request`: what was asked of a job."""

import json
import os
from typing import Any

import pytest

from app.jobs import asked
from tests.support.gateway import Gateway, eventually
from tests.support.talk import answered, asking, send_message

SECRET = "sesame-of-the-client"  # noqa: S105


def request_of(gateway: Gateway, job_id: str) -> dict[str, Any]:
    """What was asked of a job."""
    answer = gateway.ask("GET", f"/jobs/{job_id}/request")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("fields", [{}, {"model": "opus"}, {"model": None}, {"timeout": 9.5}])
def test_the_prompt_and_the_fields_are_kept_with_the_job(
    gateway: Gateway, fields: dict[str, Any]
) -> None:
    prompt = 'result ok\n# "ü" \u2028 \\n'
    stream = gateway.chat(prompt, **fields)
    running = request_of(gateway, stream.job_id)
    assert running["prompt"] == prompt
    assert running["prompt_is_cut"] is False
    sent = {"cwd": str(gateway.project), **fields}
    # Without a `model`, the default is the one that the CLI got.
    assert running["fields"] == sent or running["fields"] == {**sent, "model": "sonnet"}
    stream.done()
    assert request_of(gateway, stream.job_id) == running
    has_file = (gateway.state / "jobs" / stream.job_id / "fields").exists()
    assert has_file is (fields not in ({}, {"model": "opus"}))


def test_values_that_may_be_secret_are_never_kept(gateway: Gateway) -> None:
    server = {"command": "true", "env": {"KEY": SECRET}, "headers": {"X": SECRET}}
    fields = {
        "env": {"MY_TOKEN": SECRET},
        "settings": json.dumps({"env": {"OTHER": SECRET}, "apiKeyHelper": SECRET}),
        "mcp_config": [json.dumps({"mcpServers": {"mine": server}}), "/some/path.json"],
        "agents": {"a": {"description": "d", "prompt": "p", "mcpServers": [{"m": server}]}},
        "title": "Shown",
    }
    stream = gateway.chat("result ok", **fields)
    stream.done()
    found = request_of(gateway, stream.job_id)
    assert SECRET not in json.dumps(found)
    shown = found["fields"]
    assert shown["env"] == {"MY_TOKEN": "***"}
    assert json.loads(shown["settings"]) == {"env": {"OTHER": "***"}, "apiKeyHelper": "***"}
    assert json.loads(shown["mcp_config"][0]) == {"mcpServers": {"mine": "***"}}
    assert shown["mcp_config"][1] == "/some/path.json"
    assert shown["agents"] == {"a": {"description": "d", "prompt": "p", "mcpServers": "***"}}
    assert shown["title"] == "Shown"
    kept = gateway.state / "jobs" / stream.job_id / "fields"
    assert SECRET not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert SECRET not in gateway.log()


def test_a_field_that_is_too_long_is_left_out_and_named(gateway: Gateway) -> None:
    stream = gateway.chat("result ok", system_prompt="x" * (1 << 17), append_system_prompt="y")
    stream.done()
    found = request_of(gateway, stream.job_id)
    assert found["left_out"] == ["system_prompt"]
    assert found["fields"]["append_system_prompt"] == "y"


def test_a_prompt_that_is_too_long_is_cut(gateway: Gateway) -> None:
    prompt = "result ok\n#" + "ü\\" * (asked.LONGEST // 8)
    stream = gateway.chat(prompt)
    stream.done()
    found = request_of(gateway, stream.job_id)
    assert found["prompt_is_cut"] is True
    assert prompt.startswith(found["prompt"])
    assert len(found["prompt"]) > 10_000


def test_the_prompt_of_a_chat_api_is_what_the_cli_got(gateway: Gateway) -> None:
    body = {"model": "sonnet", "messages": [{"role": "user", "content": "result hello"}]}
    answer = gateway.ask("POST", "/v1/chat/completions", json=body)
    job_id = answer.headers["X-Process-ID"]
    assert request_of(gateway, job_id)["prompt"] == "result hello"


def test_the_messages_have_their_text_and_their_user(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    sent = send_message(gateway, stream.job_id, "And the tests.").json()["message_id"]
    (message,) = request_of(gateway, stream.job_id)["messages"]
    assert (
        message.pop("sent_at") >= gateway.ask("GET", f"/jobs/{stream.job_id}").json()["started_at"]
    )
    state = message.pop("state")
    assert state in ("held", "sent", "queued", "started")
    assert message == {"message_id": sent, "user": "admin", "text": "And the tests."}
    answered(gateway, question)
    stream.done()
    (message,) = request_of(gateway, stream.job_id)["messages"]
    assert message["text"] == "And the tests."


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"message": {"content": 7}}', '{"a":' * 5000, "\0" * 99]
)
def test_what_a_job_has_damaged_counts_as_missing(gateway: Gateway, damage: str) -> None:
    stream = gateway.chat("result ok", title="Mine")
    stream.done()
    folder = gateway.state / "jobs" / stream.job_id
    for name in ("message", "fields"):
        (folder / name).write_text(damage)
    found = request_of(gateway, stream.job_id)
    assert found["prompt"] is None
    assert found["fields"] == {"cwd": str(gateway.project), "model": "sonnet"}


def test_what_a_job_puts_in_place_of_its_message_is_not_read(gateway: Gateway) -> None:
    stream = gateway.chat("result ok", title="Mine")
    stream.done()
    folder = gateway.state / "jobs" / stream.job_id
    secret = gateway.folder / "secret"
    secret.write_text(json.dumps({"message": {"content": SECRET}, "fields": {}, "left_out": []}))
    for name in ("message", "fields"):
        (folder / name).unlink()
        (folder / name).symlink_to(secret)
    assert request_of(gateway, stream.job_id)["prompt"] is None
    for name in ("message", "fields"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
    assert request_of(gateway, stream.job_id)["prompt"] is None


def closed_of(gateway: Gateway, job_id: str) -> list[dict[str, Any] | None]:
    """How each question of a job was closed."""
    answer = gateway.ask("GET", f"/jobs/{job_id}/questions?all=true")
    assert answer.status_code == 200, answer.text
    return [question["closed"] for question in answer.json()["questions"]]


def test_who_answered_what_stays_in_the_job(gateway: Gateway) -> None:
    choice = {"questions": [{"question": "Which?", "options": []}]}
    stream, question = asking(
        gateway, 'ask Bash {"command": "make"}', f"ask AskUserQuestion {json.dumps(choice)}"
    )
    assert closed_of(gateway, stream.job_id) == [None]
    answered(gateway, question, "deny", message="Not now")
    eventually(lambda: len(closed_of(gateway, stream.job_id)) == 2)
    (second,) = gateway.ask("GET", f"/jobs/{stream.job_id}/questions").json()["questions"]
    answered(gateway, second, answers={"Which?": "blue"})
    stream.done()
    first, last = closed_of(gateway, stream.job_id)
    assert first is not None and last is not None
    assert first["at"] <= last["at"]
    same = {"user": "admin", "remembered": False}
    assert first == {"behavior": "deny", "at": first["at"], "message": "Not now", **same} | {
        "answers": None
    }
    assert last == {"behavior": "allow", "at": last["at"], "message": None, **same} | {
        "answers": {"Which?": "blue"}
    }


def test_a_question_is_closed_with_its_job(gateway: Gateway) -> None:
    stream, _ = asking(gateway)
    assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
    (closed,) = closed_of(gateway, stream.job_id)
    assert closed is not None
    assert (closed["behavior"], closed["user"]) == ("cancelled", None)
    answer = gateway.ask("GET", f"/jobs/{stream.job_id}/questions?all=1")
    assert answer.status_code == 422
