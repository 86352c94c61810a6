"""Messages to a job that runs, with the fake CLI."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.jobs.talk import MOST_ITEMS
from app.records.inbox import Inbox
from tests.support.gateway import Gateway, eventually
from tests.support.talk import ASK, answered, asking, send_message, states_of, texts_of
from tests.support.waiting import begin, flag

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and more").decode()
SECRET = "the-secret-of-the-message"  # noqa: S105


def test_a_message_is_taken_in_between_two_steps_of_the_turn(gateway: Gateway) -> None:
    stream, question = asking(gateway, ASK, "line after")
    response = send_message(gateway, stream.job_id, "line said")
    assert response.status_code == 202
    eventually(lambda: states_of(gateway, stream.job_id) == ["queued"])
    assert answered(gateway, question).status_code == 200
    assert texts_of(stream) == ["said", "after"]
    record = gateway.ask("GET", f"/jobs/{stream.job_id}").json()
    assert record["status"] == "succeeded"
    message_id = response.json()["message_id"]
    assert record["messages"] == [{"message_id": message_id, "state": "completed"}]


def test_a_job_does_not_end_before_its_last_message_is_answered(
    gateway: Gateway, tmp_path: Path
) -> None:
    stream = gateway.chat(f"final {tmp_path / 'go'}", keep_alive=1)
    for number in range(5):
        assert send_message(gateway, stream.job_id, f"line {number}").status_code == 202
    eventually(lambda: states_of(gateway, stream.job_id) == ["queued"] * 5)
    (tmp_path / "go").touch()
    messages = stream.messages()
    assert [data for data in messages if data.isdigit()] == [b"0", b"1", b"2", b"3", b"4"]
    # Their turn has a result of its own.
    assert sum(b'"type":"result"' in data for data in messages) == 2
    assert states_of(gateway, stream.job_id) == ["completed"] * 5


def test_a_job_whose_cli_dies_before_a_message_is_carried_out_has_failed(
    gateway: Gateway, tmp_path: Path
) -> None:
    stream = gateway.chat(f"final {tmp_path / 'go'}", keep_alive=1)
    assert send_message(gateway, stream.job_id, "die 9").status_code == 202
    eventually(lambda: states_of(gateway, stream.job_id) == ["queued"])
    (tmp_path / "go").touch()
    *_, done = list(stream)
    end = json.loads(done.data)
    # Its own turn has a result, which reports a success.
    assert (end["status"], end["is_error"]) == ("failed", False)
    assert "a message that was sent to the job" in end["error"]
    assert states_of(gateway, stream.job_id) == ["discarded"]


def test_the_message_of_a_queued_job_is_held_until_its_turn_has_begun(
    gateway_with: Callable[..., Gateway],
) -> None:
    gateway = gateway_with(MAX_JOBS="1")
    first = begin(gateway, f"await {flag(gateway, 'go')}")
    queued = gateway.chat("line prompt", f"await {flag(gateway, 'end')}", keep_alive=1)
    assert send_message(gateway, queued.job_id, "line message").status_code == 202
    assert states_of(gateway, queued.job_id) == ["held"]
    flag(gateway, "go").touch()
    first.done()
    # Taken in between two verbs, or after them.
    eventually(lambda: states_of(gateway, queued.job_id)[0] in ("queued", "started", "completed"))
    flag(gateway, "end").touch()
    assert texts_of(queued) == ["prompt", "message"]
    assert states_of(gateway, queued.job_id) == ["completed"]


def test_content_blocks_reach_the_cli_as_they_are(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    image = {"type": "image", "source": {"type": "base64", "data": PNG}}
    content = [{"type": "text", "text": "line seen"}, image]
    path = f"/jobs/{stream.job_id}/messages"
    sent = gateway.ask("POST", path, json={"content": content})
    inbox = Inbox(str(gateway.state / "jobs" / stream.job_id))
    item = inbox.read("message", sent.json()["message_id"])
    image["source"]["media_type"] = "image/png"  # type: ignore[index]
    assert item == {"content": content, "user": "admin"}
    answered(gateway, question)
    assert texts_of(stream) == ["seen"]


def test_messages_of_a_cancelled_job_are_discarded(gateway: Gateway) -> None:
    stream, _ = asking(gateway)
    send_message(gateway, stream.job_id, "line said")
    gateway.ask("DELETE", f"/chat/{stream.job_id}")
    assert stream.done()["status"] == "cancelled"
    assert states_of(gateway, stream.job_id) in (["cancelled"], ["discarded"])


def test_an_interrupt_cancels_what_waits(gateway: Gateway) -> None:
    stream, _ = asking(gateway)
    send_message(gateway, stream.job_id, "line said")
    eventually(lambda: states_of(gateway, stream.job_id) == ["queued"])
    assert gateway.ask("POST", f"/jobs/{stream.job_id}/interrupt").status_code == 202
    assert stream.done()["status"] == "cancelled"
    assert states_of(gateway, stream.job_id) == ["cancelled"]


def test_a_job_that_takes_no_messages_says_why(gateway: Gateway) -> None:
    plain = begin(gateway, "silent")
    response = send_message(gateway, plain.job_id, "line said")
    assert (response.status_code, response.json()["code"]) == (409, "plain_job")
    assert "keep_alive" in response.json()["detail"]
    for fields in ({}, {"keep_alive": 30}):
        ended = gateway.chat("line x", **fields)
        ended.done()
        response = send_message(gateway, ended.job_id, "line said")
        assert (response.status_code, response.json()["code"]) == (409, "job_ended")
    assert send_message(gateway, str(uuid4()), "line said").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": None},
        {"text": " \n"},
        {"text": f"{SECRET}\0"},
        {"text": [SECRET]},
        {"text": "x", "content": [{"type": "text", "text": "x"}]},
        {"texts": SECRET},
        {"text": "x", "priority": "now"},
        {"content": []},
        {"content": SECRET},
        {"content": [SECRET]},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "text", "text": ""}]},
        {"content": [{"type": "tool_result", "tool_use_id": "x", "content": SECRET}]},
        {"content": [{"type": "image", "source": {"type": "base64", "data": SECRET}}]},
        {"content": [{"type": "image", "source": {"type": "base64", "data": "AAAA"}}]},
        {"content": [{"type": "image", "source": {"type": "url", "url": "http://x/"}}]},
        {"content": [{"type": "text", "text": "x"}] * 101},
        [],
        "text",
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_a_message_that_is_none_is_refused(gateway: Gateway, body: Any) -> None:
    stream, question = asking(gateway)
    response = gateway.ask("POST", f"/jobs/{stream.job_id}/messages", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert not Inbox(str(gateway.state / "jobs" / stream.job_id)).names()
    assert SECRET not in gateway.log()
    answered(gateway, question)
    assert texts_of(stream) == []


def test_a_message_must_be_json(gateway: Gateway) -> None:
    stream, _ = asking(gateway)
    response = gateway.ask("POST", f"/jobs/{stream.job_id}/messages", data=b"hello")
    assert response.status_code == 415


def test_one_job_takes_so_many_messages(gateway: Gateway) -> None:
    stream, question = asking(gateway)
    inbox = gateway.state / "jobs" / stream.job_id / "inbox"
    for number in range(MOST_ITEMS):
        (inbox / f"control.{number}").touch()
    response = send_message(gateway, stream.job_id, "line said")
    assert (response.status_code, response.json()["code"]) == (409, "too_many_messages")
    for item in inbox.iterdir():
        item.unlink()
    answered(gateway, question)
    stream.done()


def test_a_damaged_inbox_ends_no_other_job(gateway: Gateway, tmp_path: Path) -> None:
    """A job can put anything into its own folder."""
    stream, question = asking(gateway, ASK, f"await {tmp_path / 'go'}")
    folder = gateway.state / "jobs" / stream.job_id
    (folder / "inbox" / "message.x").write_text("[", encoding="utf-8")
    (folder / "inbox" / "nonsense").mkdir()
    (folder / "inbox.closed").mkdir()
    (folder / "inbox.closed" / "message.y").touch()
    answered(gateway, question)
    (tmp_path / "go").touch()
    assert stream.done()["status"] == "succeeded"


def test_a_plain_job_has_no_messages(gateway: Gateway) -> None:
    stream = gateway.chat("line plain")
    stream.done()
    assert states_of(gateway, stream.job_id) == []
