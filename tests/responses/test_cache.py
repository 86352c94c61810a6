"""The cache of answers, for the Responses API."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.responses.test_stored import BEGIN, message, read
from tests.responses.test_stored import END as ENDING
from tests.support.gateway import Gateway, eventually
from tests.support.responses import events, respond, response_of, text_of

RESULT = {"type": "result", "subtype": "success", "is_error": False, "stop_reason": "end_turn"}
END = [*ENDING[:-1], f"line {json.dumps(RESULT)}"]


@pytest.fixture
def cached(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with a cache."""
    return gateway_with(CACHE="600")


def ask(gateway: Gateway, name: str, *verbs: str, **named: Any) -> requests.Response:
    """The answer to a request that only the test of this name sends."""
    return respond(gateway, f"complain {name}", *BEGIN, *verbs, *END, **named)


def outcomes(*answers: requests.Response) -> list[str | None]:
    """How the requests were answered."""
    return [answer.headers.get("X-Cache") for answer in answers]


def test_an_equal_request_gets_the_answer_as_a_response_of_its_own(cached: Gateway) -> None:
    answers = [ask(cached, "equal") for _ in range(2)]
    first, again = map(response_of, answers)
    assert outcomes(*answers) == ["miss", "hit"]
    assert answers[0].headers["X-Process-ID"] == answers[1].headers["X-Process-ID"]
    assert (answers[0].headers.get("Age"), int(answers[1].headers["Age"]) < 60) == (None, True)
    assert text_of(first) == text_of(again) == "hé" and first["usage"] == again["usage"]
    assert first["id"] != again["id"] and first["output"][0]["id"] != again["output"][0]["id"]
    assert first["created_at"] <= again["created_at"] <= again["completed_at"]
    for response in (first, again):
        assert response_of(read(cached, response["id"])) == response
        (item,) = read(cached, response["id"], "/input_items").json()["data"]
        assert message(item)[1].startswith("complain equal")
        following = ask(cached, "following", previous_response_id=response["id"])
        assert text_of(response_of(following)) == "hé"


def test_each_of_two_equal_responses_can_be_deleted_without_the_other(cached: Gateway) -> None:
    first, second, third = (response_of(ask(cached, "deleted")) for _ in range(3))
    for response in (second, first):
        path = f"/v1/responses/{response['id']}"
        assert cached.ask("DELETE", path).status_code == 200
        assert cached.ask("GET", path).status_code == 404
        assert response_of(read(cached, third["id"])) == third
    # The first one had the job, which has the answer.
    assert outcomes(ask(cached, "deleted")) == ["miss"]


def test_a_response_is_replayed_as_a_stream_and_in_one_piece(cached: Gateway) -> None:
    streamed, whole, replayed = (ask(cached, "stream", stream=each) for each in (True, False, True))
    assert outcomes(streamed, whole, replayed) == ["miss", "hit", "hit"]
    kinds = [[event["type"] for event in events(answer)] for answer in (streamed, replayed)]
    assert kinds[0] == kinds[1]
    assert kinds[1][-1] == "response.completed"
    response = response_of(replayed)
    assert response_of(read(cached, response["id"])) == response
    assert text_of(response) == text_of(response_of(whole)) == "hé"


def test_equal_requests_at_the_same_time_are_one_job_and_two_responses(cached: Gateway) -> None:
    flag = cached.folder / "go"
    answers = [
        ask(cached, "joined", f"await {flag}", stream=True, stream_body=True) for _ in range(2)
    ]
    assert outcomes(*answers) == ["miss", "joined"]
    assert len(cached.running()) == 1
    flag.touch()
    first, second = map(response_of, answers)
    assert first["id"] != second["id"] and text_of(first) == text_of(second) == "hé"


def test_a_response_that_is_not_stored_is_cached_and_one_of_its_answer_is_stored(
    cached: Gateway,
) -> None:
    unstored, stored, again = (ask(cached, "store", store=each) for each in (False, True, False))
    assert outcomes(unstored, stored, again) == ["miss", "hit", "hit"]
    found = [response_of(each) for each in (unstored, stored, again)]
    assert [each["store"] for each in found] == [False, True, False]
    assert [read(cached, each["id"]).status_code for each in found] == [404, 200, 404]


def test_a_response_that_has_a_past_or_goes_on_alone_is_never_cached(cached: Gateway) -> None:
    first = response_of(ask(cached, "past"))["id"]
    conversation = cached.ask("POST", "/v1/conversations", json={}).json()["id"]
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    for fields in (
        {"previous_response_id": first},
        {"conversation": conversation},
        {"background": True},
        {"tools": [tool]},
        {"claude": {"mode": "agent"}},
        {"headers": {"Idempotency-Key": "past"}},
        {"headers": {"Cache-Control": "no-store"}},
    ):
        asked = [ask(cached, "past", **fields) for _ in range(2)]
        assert outcomes(*asked) == [None, None], fields
    # What is in the background has ended before the next test looks.
    eventually(lambda: not cached.running())


def test_a_response_that_was_cut_or_has_failed_is_not_served(cached: Gateway) -> None:
    for name, changed in (("cut", {"stop_reason": "max_tokens"}), ("failed", {"is_error": True})):
        line = f"line {json.dumps({**RESULT, **changed})}"
        asked = [respond(cached, f"complain {name}", *BEGIN, *END[:-1], line) for _ in range(2)]
        assert outcomes(*asked) == ["miss", "miss"]
