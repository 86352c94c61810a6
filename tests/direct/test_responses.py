"""`POST /v1/responses` by the direct backend."""

import json
from typing import Any

import pytest

from tests.support.direct_api import Server
from tests.support.direct_client import record_of, respond, sent
from tests.support.gateway import Gateway, eventually
from tests.support.responses import events

TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def test_a_response_and_its_stream_say_the_same(direct: Gateway, upstream: Server) -> None:
    given: dict[str, Any] = {
        "instructions": "Be brief.",
        "reasoning": {"effort": "low"},
        "max_output_tokens": 9,
    }
    given["temperature"] = 0.5
    whole = respond(direct, "think", **given)
    body = whole.json()
    assert body["status"] == "completed"
    kinds = [item["type"] for item in body["output"]]
    assert kinds == ["reasoning", "message"]
    assert body["output"][1]["content"][0]["text"] == "Héllo"
    assert body["usage"]["input_tokens"] == 3400 and body["usage"]["output_tokens"] == 200
    request = sent(upstream)
    assert request["system"] == "Be brief." and request["max_tokens"] == 9
    assert request["output_config"] == {"effort": "low"} and request["stream"] is True
    assert request["temperature"] == 0.5 and "X-Claude-Ignored" not in whole.headers
    *_, last = events(respond(direct, "think", stream=True, **given))
    assert last["type"] == "response.completed"
    texts = [item.get("content") for item in last["response"]["output"]]
    assert texts == [item.get("content") for item in body["output"]]
    record = record_of(direct, whole.headers["X-Process-ID"])
    assert (record["backend"], record["status"]) == ("direct", "succeeded")


def test_a_call_of_a_strict_tool_follows_its_schema_or_the_request_fails(direct: Gateway) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "integer"}}}
    tool = {"type": "function", "name": "weather", "parameters": parameters}
    assert respond(direct, "tool", tools=[tool]).status_code == 200
    answer = respond(direct, "tool", tools=[{**tool, "strict": True}])
    assert answer.status_code == 424, answer.text
    assert answer.json()["error"]["code"] == "invalid_tool_arguments"


def test_a_conversation_goes_on_with_the_stored_response(direct: Gateway, upstream: Server) -> None:
    first = respond(direct, "tool", tools=[TOOL]).json()
    (call,) = [item for item in first["output"] if item["type"] == "function_call"]
    assert json.loads(call["arguments"]) == {"city": "Oslo"}
    stored = direct.ask("GET", f"/v1/responses/{first['id']}").json()
    assert stored["output"] == first["output"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "Rain"}
    second = respond(direct, [result], tools=[TOOL], previous_response_id=first["id"])
    assert second.json()["status"] == "completed"
    *_, calls, results = sent(upstream)["messages"]
    assert [block["type"] for block in calls["content"]] == ["text", "tool_use"]
    assert results["content"][0]["tool_use_id"] == calls["content"][1]["id"]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"background": True}, "answers only while its client waits"),
        ({"model": "opus", "claude": {"backend": "direct"}}, "DIRECT_MODELS"),
        ({"headers": {"Idempotency-Key": "k"}}, "keeps no answer for a repeated request"),
        ({"claude": {"mode": "agent"}}, "mode cannot be used"),
    ],
)
def test_what_only_the_cli_has_is_refused(
    direct: Gateway, upstream: Server, named: dict[str, Any], said: str
) -> None:
    before = len(upstream.received)
    answer = respond(direct, "say hi", **named)
    assert answer.status_code == 400 and said in answer.json()["error"]["message"]
    assert len(upstream.received) == before


def test_errors_have_openais_format(direct: Gateway) -> None:
    for stream in (True, False):
        answer = respond(direct, "fail 429 rate_limit_error 3 Too fast", stream=stream)
        assert answer.status_code == 429 and answer.headers["Retry-After"] == "3"
        assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    *_, last = events(respond(direct, "error-late overloaded_error Busy", stream=True))
    assert last["type"] == "response.failed" and last["response"]["error"]["message"] == "Busy"
    eventually(lambda: not direct.running())
