"""The responses that are stored, with the fake CLI."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.gateway import Gateway, eventually
from tests.support.responses import events, refused, respond, response_of, text_of
from tests.support.two_users import ALICE, BOB, KEYS, by


def line(event: dict[str, Any]) -> str:
    """The verb for a line of the CLI with an event of the model's API."""
    fields = {"type": "stream_event", "parent_tool_use_id": None, "event": event}
    return f"line {json.dumps(fields)}"


BLOCK = {"type": "text", "text": ""}
DELTA = {"type": "text_delta", "text": "hé"}
BEGIN = [
    line({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 3}}}),
    line({"type": "content_block_start", "index": 0, "content_block": BLOCK}),
    line({"type": "content_block_delta", "index": 0, "delta": DELTA}),
]
END = [
    line({"type": "content_block_stop", "index": 0}),
    line({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}),
    line({"type": "message_stop"}),
    'line {"type":"result","subtype":"success","is_error":false,"result":"hé"}',
]


def read(gateway: Gateway, response_id: str, rest: str = "", **named: Any) -> Any:
    """The answer to `GET /v1/responses/{id}` and what is below it."""
    return gateway.ask("GET", f"/v1/responses/{response_id}{rest}", **named)


def message(item: dict[str, Any]) -> tuple[str, str]:
    """The role and the text of an item."""
    return item["role"], item["content"][0]["text"]


def ended(gateway: Gateway, response_id: str) -> dict[str, Any]:
    """A response in the background, once it has ended."""
    job = response_id.removeprefix("resp_")
    assert gateway.ask("GET", f"/jobs/{job}?wait=20").json()["ended_at"]
    return response_of(read(gateway, response_id))


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_stored_with_its_input(gateway: Gateway, stream: bool) -> None:
    response = response_of(respond(gateway, *BEGIN, *END, stream=stream, metadata={"a": "b"}))
    assert response["store"] is True
    assert response_of(read(gateway, response["id"])) == response
    page = read(gateway, response["id"], "/input_items").json()
    assert (page["object"], page["has_more"]) == ("list", False)
    (item,) = page["data"]
    assert message(item) == ("user", "\n".join([*BEGIN, *END]))
    assert page["first_id"] == page["last_id"] == item["id"]
    again = read(gateway, response["id"], "?stream=true")
    assert refused(again) == (400, "invalid_value", "stream")


def test_a_request_with_the_same_key_gets_the_same_response(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": "one-and-the-same"}
    for background in (False, True):
        headers["Idempotency-Key"] += "-again"
        named = {"headers": headers, "background": background}
        first, second = (response_of(respond(gateway, *BEGIN, *END, **named)) for _ in range(2))
        assert first["id"] == second["id"]
        assert text_of(ended(gateway, first["id"])) == "hé"


def test_a_response_whose_client_leaves_is_cancelled_and_not_stored(gateway: Gateway) -> None:
    answer = respond(gateway, *BEGIN, "silent", stream=True, stream_body=True)
    assert next(answer.iter_content(1))
    answer.close()
    job = answer.headers["X-Process-ID"]
    eventually(lambda: gateway.ask("GET", f"/jobs/{job}").json()["status"] == "cancelled")
    assert read(gateway, f"resp_{job}").status_code == 404


def test_the_items_of_an_input_come_in_pages(gateway: Gateway) -> None:
    said = [{"role": "user", "content": f"n{n}"} for n in range(3)]
    items = [*said, {"role": "user", "content": "\n".join([*BEGIN, *END])}]
    response = response_of(respond(gateway, input=items))

    def texts(query: str) -> list[str]:
        page = read(gateway, response["id"], f"/input_items?order=asc{query}").json()
        return [message(item)[1] for item in page["data"]]

    assert texts("&limit=2") == ["n0", "n1"]
    first = read(gateway, response["id"], "/input_items?order=asc&limit=2").json()
    assert first["has_more"] is True
    assert texts(f"&limit=1&after={first['last_id']}") == ["n2"]
    for query, param in (("order=up", "order"), ("after=x", "after"), ("limit=0", "limit")):
        assert refused(read(gateway, response["id"], f"/input_items?{query}"))[::2] == (400, param)


def test_a_response_continues_another_one(gateway: Gateway) -> None:
    first = response_of(respond(gateway, *BEGIN, *END))
    named = {"previous_response_id": first["id"], "instructions": "Be brief."}
    second = response_of(respond(gateway, *BEGIN, *END, **named))
    assert second["previous_response_id"] == first["id"]
    third = respond(gateway, "arguments", *END, previous_response_id=second["id"])
    assert third.status_code == 200, third.text
    # The instructions are those of one response alone.
    job = gateway.resume(third.headers["X-Process-ID"])
    (given,) = [found for found in map(json.loads, job.messages()) if "argv" in found]
    assert "Be brief." not in json.dumps(given)
    # An item of the output can be named instead of sent.
    reference = {"type": "item_reference", "id": second["output"][0]["id"]}
    again = respond(gateway, input=[reference, {"role": "user", "content": "\n".join(END)}])
    page = read(gateway, response_of(again)["id"], "/input_items?order=asc").json()
    assert page["data"][0] == second["output"][0]
    wrong = respond(gateway, input=[{"type": "item_reference", "id": "msg_1"}])
    assert refused(wrong) == (400, "invalid_value", "input[0].id")


def test_what_is_not_stored_cannot_be_read_or_continued(gateway: Gateway) -> None:
    response = response_of(respond(gateway, *BEGIN, *END, store=False))
    assert response["store"] is False
    assert refused(read(gateway, response["id"])) == (404, "response_not_found", "response_id")
    gone = respond(gateway, "x", previous_response_id=response["id"])
    assert refused(gone) == (400, "previous_response_not_found", "previous_response_id")
    for name in ("background", "conversation"):
        value: Any = {"background": True, "conversation": "x"}[name]
        asked = respond(gateway, "x", store=False, **{name: value})
        assert refused(asked) == (400, "invalid_value", name)


def test_a_deleted_response_is_gone_with_its_job(gateway: Gateway) -> None:
    response = response_of(respond(gateway, *BEGIN, *END))
    path = f"/v1/responses/{response['id']}"
    deleted = gateway.ask("DELETE", path)
    assert deleted.json() == {"id": response["id"], "object": "response", "deleted": True}
    for method, rest in (("GET", ""), ("GET", "/input_items"), ("DELETE", ""), ("POST", "/cancel")):
        assert refused(gateway.ask(method, path + rest))[:2] == (404, "response_not_found")
    job = response["id"].removeprefix("resp_")
    assert gateway.ask("GET", f"/jobs/{job}").status_code == 404


def test_a_conversation_goes_on_by_its_id(gateway: Gateway) -> None:
    conversation = gateway.ask("POST", "/v1/conversations", json={}).json()["id"]
    first = response_of(respond(gateway, *BEGIN, *END, conversation=conversation))["id"]
    response = response_of(respond(gateway, *BEGIN, *END, conversation={"id": conversation}))
    assert response["conversation"] == {"id": conversation}
    assert response["previous_response_id"] is None
    assert gateway.ask("GET", f"/v1/conversations/{conversation}").json()["turns"] == 2
    # Without the last response, it goes on from the one before.
    assert gateway.ask("DELETE", f"/v1/responses/{response['id']}").status_code == 200
    response = response_of(respond(gateway, *BEGIN, *END, conversation=conversation))
    file = gateway.state / "responses" / response["id"].removeprefix("resp_")
    assert json.loads(file.read_text())["previous"] == first
    both = respond(gateway, "x", conversation=conversation, previous_response_id=response["id"])
    assert refused(both) == (400, "invalid_value", "previous_response_id")
    missing = respond(gateway, "x", conversation="none")
    assert refused(missing)[:2] == (404, "conversation_not_found")


def test_each_user_has_its_own(gateway_with: Callable[..., Gateway]) -> None:
    gateway = gateway_with(API_KEYS=KEYS)
    response = response_of(respond(gateway, *BEGIN, *END, **by(ALICE)))
    for rest in ("", "/input_items"):
        assert read(gateway, response["id"], rest, **by(ALICE)).status_code == 200
        assert read(gateway, response["id"], rest).status_code == 200
        assert read(gateway, response["id"], rest, **by(BOB)).status_code == 404
    path = f"/v1/responses/{response['id']}"
    assert gateway.ask("DELETE", path, **by(BOB)).status_code == 404
    taken = respond(gateway, "x", previous_response_id=response["id"], **by(BOB))
    assert refused(taken)[:2] == (400, "previous_response_not_found")


def test_a_response_goes_on_in_the_background(gateway: Gateway, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    started = respond(gateway, *BEGIN, f"await {flag}", *END, background=True)
    response = response_of(started)
    assert response["status"] in ("queued", "in_progress")
    assert (response["background"], response["output"]) == (True, [])
    early = respond(gateway, "x", previous_response_id=response["id"])
    assert refused(early) == (400, "invalid_value", "previous_response_id")
    eventually(lambda: response_of(read(gateway, response["id"]))["status"] == "in_progress")
    flag.touch()
    done = ended(gateway, response["id"])
    assert (done["status"], text_of(done)) == ("completed", "hé")
    assert done["completed_at"] >= done["created_at"]
    assert response_of(read(gateway, response["id"])) == done
    following = respond(gateway, *BEGIN, *END, previous_response_id=response["id"])
    assert text_of(response_of(following)) == "hé"


def test_a_stream_in_the_background_can_be_continued(gateway: Gateway) -> None:
    started = respond(gateway, *BEGIN, *END, background=True, stream=True)
    whole = events(started)
    assert whole[-1]["type"] == "response.completed"
    response_id = whole[0]["response"]["id"]
    for after in (0, 3, len(whole) - 2):
        query = f"?stream=true&starting_after={after}"
        assert events(read(gateway, response_id, query)) == whole[after + 1 :]
    assert events(read(gateway, response_id, "?stream=true")) == whole
    assert response_of(read(gateway, response_id)) == whole[-1]["response"]


def test_a_response_in_the_background_outlives_a_reload_and_its_worker(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway, flag = start_gateway(WORKERS="1"), tmp_path / "flag"
    named = {"background": True, "stream": True, "stream_body": True}
    answer = respond(gateway, *BEGIN, f"await {flag}", *END, **named)
    response_id = f"resp_{answer.headers['X-Process-ID']}"
    received: list[bytes] = []

    def reload_at_a_delta() -> None:
        for chunk in answer.iter_content(None):
            received.append(chunk)
            if b"output_text.delta" in chunk:
                gateway.reload()

    # The stream breaks off: the response has not failed.
    with pytest.raises(requests.RequestException):
        reload_at_a_delta()
    assert b"response.failed" not in b"".join(received)
    (last, *_) = re.findall(rb'"sequence_number":(\d+)', received[-1])[::-1]
    gateway.kill_workers(*gateway.workers())
    flag.touch()
    assert text_of(ended(gateway, response_id)) == "hé"
    rest = events(read(gateway, response_id, f"?stream=true&starting_after={int(last)}"))
    assert rest[0]["sequence_number"] == int(last) + 1
    assert rest[-1]["type"] == "response.completed"


def test_a_response_in_the_background_is_cancelled(gateway: Gateway) -> None:
    response = response_of(respond(gateway, *BEGIN, "silent", background=True))
    eventually(lambda: response_of(read(gateway, response["id"]))["status"] == "in_progress")
    cancelled = gateway.ask("POST", f"/v1/responses/{response['id']}/cancel")
    assert response_of(cancelled)["status"] == "cancelled"
    again = gateway.ask("POST", f"/v1/responses/{response['id']}/cancel")
    assert response_of(again) == response_of(cancelled)
    assert response_of(read(gateway, response["id"]))["error"] is None
    other = response_of(respond(gateway, *BEGIN, *END))
    refusal = gateway.ask("POST", f"/v1/responses/{other['id']}/cancel")
    assert refused(refusal) == (400, "not_in_background", "response_id")


def test_a_failure_in_the_background_is_the_responses(gateway: Gateway) -> None:
    response = response_of(respond(gateway, *BEGIN, "exit 3", background=True))
    failed = ended(gateway, response["id"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "cli_failed")
    assert failed["output"][0]["status"] == "incomplete"
    assert text_of(failed) == "hé"


def test_a_deleted_response_in_the_background_is_cancelled(gateway: Gateway) -> None:
    response = response_of(respond(gateway, *BEGIN, "silent", background=True))
    job = response["id"].removeprefix("resp_")
    assert gateway.ask("DELETE", f"/v1/responses/{response['id']}").status_code == 200
    eventually(lambda: gateway.ask("GET", f"/jobs/{job}").json()["status"] == "cancelled")


@pytest.mark.parametrize(
    "damage",
    [
        {"response": {"status": "completed"}},
        {"response": {"output": [{"role": 5}, 7]}},
        {"input": 5},
        {"input": [{"content": {}}], "response": {}},
        {"request": {"tools": 5}, "response": None},
    ],
)
def test_a_record_that_a_job_has_changed_is_no_error_of_the_gateway(
    gateway: Gateway, damage: dict[str, Any]
) -> None:
    response = response_of(respond(gateway, *BEGIN, *END, background=True))
    ended(gateway, response["id"])
    file = gateway.state / "responses" / response["id"].removeprefix("resp_")
    file.write_text(json.dumps({**json.loads(file.read_text()), **damage}))
    for rest in ("", "/input_items", "?stream=true"):
        # The document does not describe what a job has written.
        answer = requests.get(
            f"{gateway.url}/v1/responses/{response['id']}{rest}", auth=gateway.auth, timeout=20
        )
        assert answer.status_code in (200, 400, 404), (rest, answer.text)
    following = respond(gateway, *BEGIN, *END, previous_response_id=response["id"])
    assert following.status_code in (200, 400), following.text


@pytest.mark.parametrize("background", [False, True])
def test_a_response_to_the_deepest_body_can_be_read_and_continued(
    gateway: Gateway, background: bool
) -> None:
    deepest: Any = "a"
    for _ in range(199):
        deepest = [deepest]
    item = {"role": "user", "content": "\n".join([*BEGIN, *END]), "extra": deepest[0][0]}
    for named in ({"extra": deepest}, {"input": [item]}):
        response = response_of(respond(gateway, *BEGIN, *END, background=background, **named))
        found = ended(gateway, response["id"])
        assert text_of(found) == "hé"
        assert read(gateway, response["id"], "/input_items").status_code == 200
        following = respond(gateway, *BEGIN, *END, previous_response_id=response["id"])
        assert text_of(response_of(following)) == "hé"
    deeper = respond(gateway, *BEGIN, *END, extra=[deepest])
    assert deeper.status_code == 400 and "200 levels" in deeper.text


def test_a_conversation_is_read_up_to_the_size_of_a_body(
    gateway_with: Callable[..., Gateway],
) -> None:
    gateway = gateway_with(MAX_BODY="20000")
    verbs = [f"complain {'x' * 9000}", *BEGIN, *END]
    largest = response_of(respond(gateway, f"complain {'x' * 18000}", *BEGIN, *END))["id"]
    # Whatever a body has, the next response can continue.
    assert respond(gateway, *verbs, previous_response_id=largest).status_code == 200
    before = [response_of(respond(gateway, *verbs))["id"]]
    for _ in range(2):
        before.append(response_of(respond(gateway, *verbs, previous_response_id=before[-1]))["id"])
    answer = respond(gateway, *verbs, previous_response_id=before[-1])
    assert refused(answer) == (400, "invalid_value", "previous_response_id")
    message_ = answer.json()["error"]["message"]
    assert "more than 20000 bytes (MAX_BODY)" in message_ and "in input" in message_
    items = [response_of(read(gateway, each))["output"][0]["id"] for each in before]
    references = [{"type": "item_reference", "id": each} for each in items]
    answer = respond(gateway, input=references)
    assert refused(answer) == (400, "invalid_value", "input")
    assert "more than 20000 bytes (MAX_BODY)" in answer.json()["error"]["message"]
    # It can still be read, and nothing has begun.
    assert response_of(read(gateway, before[-1]))["id"] == before[-1]
    assert not gateway.running()


def test_old_responses_are_forgotten(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(RESPONSE_RETENTION="0")
    response = response_of(respond(gateway, *BEGIN, *END))
    assert response["store"] is False
    assert read(gateway, response["id"]).status_code == 404
    assert refused(respond(gateway, "x", background=True))[2] == "background"


def test_what_is_not_stored_any_more_is_removed_at_the_next_start(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    response_of(respond(gateway, *BEGIN, *END))
    assert list((gateway.state / "responses").iterdir())
    gateway.stop()
    gateway.environment["RESPONSE_RETENTION"] = "0"
    gateway.start()
    eventually(lambda: not list((gateway.state / "responses").iterdir()))
