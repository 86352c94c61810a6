"""`POST /v1/chat/completions` by the direct backend."""

import base64
import json
from typing import Any

import pytest
import requests

from tests.support.direct_api import Server
from tests.support.direct_client import MODEL, complete, record_of, sent
from tests.support.gateway import Gateway, eventually

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()


def chunks(answer: requests.Response) -> list[dict[str, Any]]:
    """The chunks of a stream."""
    *frames, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames if frame[0] != ":"]


def test_a_completion_and_its_stream_say_the_same(direct: Gateway, upstream: Server) -> None:
    answer = complete(direct, "say one two")
    body = answer.json()
    assert body["choices"][0]["message"]["content"] == "one two "
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["model"] == MODEL and body["system_fingerprint"] == "direct"
    # With what was in the cache, and what went into it.
    usage = body["usage"]
    assert usage["prompt_tokens"] == 3400 and usage["completion_tokens"] == 200
    assert usage["prompt_tokens_details"]["cached_tokens"] == 2000
    assert sent(upstream) == {
        "model": MODEL,
        "max_tokens": 16_384,
        "stream": True,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "say one two"}]}],
    }
    options = {"include_usage": True}
    found = chunks(complete(direct, "say one two", stream=True, stream_options=options))
    deltas = [chunk["choices"][0]["delta"] for chunk in found if chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "one two "
    assert found[-1]["usage"] == usage
    record = record_of(direct, answer.headers["X-Process-ID"])
    assert record["status"] == "succeeded" and record["result"] == "one two "
    assert record["title"] == "say one two" and record["prompt_length"] == 11


def test_what_the_model_thinks_is_left_out(direct: Gateway) -> None:
    assert complete(direct, "think").json()["choices"][0]["message"]["content"] == "Héllo"


def test_tools_are_called_and_answered(direct: Gateway, upstream: Server) -> None:
    choice = {"type": "function", "function": {"name": "weather"}}
    asked = {"tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": False}
    body = complete(direct, "tool", **asked).json()["choices"][0]
    assert body["finish_reason"] == "tool_calls"
    (call,) = body["message"]["tool_calls"]
    assert call["id"] == "toolu_1"
    assert call["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    request = sent(upstream)
    assert request["tools"] == [
        {
            "name": "weather",
            "description": "The weather",
            "input_schema": TOOL["function"]["parameters"],  # type: ignore[index]
        }
    ]
    assert request["tool_choice"] == {
        "type": "tool",
        "name": "weather",
        "disable_parallel_tool_use": True,
    }
    streamed = chunks(complete(direct, "tool", stream=True, **asked))
    calls = [
        each
        for chunk in streamed
        if chunk["choices"]
        for each in chunk["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert "".join(each["function"].get("arguments", "") for each in calls) == '{"city": "Oslo"}'
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "Rain"}
    complete(direct, "tool", body["message"], result, tools=[TOOL])
    assert sent(upstream)["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Héllo"},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "Rain"}],
                }
            ],
        },
    ]
    assert sent(upstream)["tool_choice"] == {"type": "auto"}


def test_a_call_of_a_strict_tool_follows_its_schema_or_the_request_fails(direct: Gateway) -> None:
    for kind, status in (("string", 200), ("integer", 424)):
        parameters = {"type": "object", "properties": {"city": {"type": kind}}}
        tool = {"type": "function", "function": {**TOOL["function"], "parameters": parameters}}  # type: ignore[dict-item]
        assert complete(direct, "tool", tools=[tool]).status_code == 200
        tool["function"]["strict"] = True  # type: ignore[index]
        answer = complete(direct, "tool", tools=[tool])
        assert answer.status_code == status, answer.text
        streamed = complete(direct, "tool", tools=[tool], stream=True)
        assert ("invalid_tool_arguments" in streamed.text) == (status == 424)
    assert answer.json()["error"]["code"] == "invalid_tool_arguments"
    assert direct.running() == []


def test_parameters_are_those_of_the_models_api(direct: Gateway, upstream: Server) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    answer = complete(
        direct,
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [image, {"type": "text", "text": "say hi"}]},
        max_tokens=7,
        temperature=1.5,
        top_p=0.5,
        stop=["END", " "],
        reasoning_effort="minimal",
        seed=5,
        response_format={
            "type": "json_schema",
            "json_schema": {"schema": SCHEMA},
        },
    )
    assert answer.headers["X-Claude-Ignored"] == "seed, top_p"
    request = sent(upstream)
    assert request["system"] == "Be brief." and request["max_tokens"] == 7
    assert request["temperature"] == 1 and "top_p" not in request
    assert request["stop_sequences"] == ["END"]
    schema = {"type": "json_schema", "schema": SCHEMA}
    assert request["output_config"] == {"effort": "low", "format": schema}
    source = request["messages"][0]["content"][0]["source"]
    assert base64.b64decode(source["data"]) == base64.b64decode(PIXEL)
    # The model's API takes no white space as a stop, so the answer is cut here.
    assert answer.json()["choices"][0]["message"]["content"] == "hi"
    assert record_of(direct, answer.headers["X-Process-ID"])["status"] == "succeeded"
    complete(direct, "say {}", response_format={"type": "json_object"})
    assert "JSON object" in sent(upstream)["system"]


def test_a_stop_at_which_the_gateway_cuts_is_a_success(direct: Gateway, upstream: Server) -> None:
    for number in (1, 2):
        said = f"tokens {100_000 + number} 0.01"
        answer = complete(direct, said, stop=[" "], stream=number == 1)
        assert '"finish_reason":"stop"' in answer.text
        record = record_of(direct, answer.headers["X-Process-ID"])
        assert (record["status"], record["reason"]) == ("succeeded", "stop_sequence")
        assert record["usage"]["input_tokens"] == 1000
        # The model need not go on.
        eventually(lambda said=said: upstream.closed.count(said) == 1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"claude": {"cwd": "/"}}, "cwd"),
        ({"claude": {"mode": "agent"}}, "mode"),
        ({"claude": {"events": True}}, "events"),
        ({"session_id": "mine"}, "has no sessions"),
        ({"headers": {"Idempotency-Key": "k"}}, "keeps no answer for a repeated request"),
        ({"model": "opus", "claude": {"backend": "direct"}}, "DIRECT_MODELS"),
    ],
)
def test_what_only_the_cli_has_is_refused(
    direct: Gateway, upstream: Server, named: dict[str, Any], said: str
) -> None:
    before = len(upstream.received)
    answer = complete(direct, "say hi", **named)
    assert answer.status_code == 400 and said in answer.json()["error"]["message"]
    assert len(upstream.received) == before


@pytest.mark.parametrize("stream", [True, False])
def test_errors_have_openais_format(direct: Gateway, stream: bool) -> None:
    answer = complete(direct, "fail 429 rate_limit_error 3 Too fast", stream=stream)
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "3"
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("rate_limit_exceeded", "Too fast")
    answer = complete(direct, "fail 400 x - prompt is too long: 9 tokens > 5", stream=stream)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    record = record_of(direct, answer.headers["X-Process-ID"])
    assert record["reason"] == "prompt_too_long"
    assert record["error"] == "Prompt is too long: 9 tokens > 5"


def test_a_late_error_ends_the_stream(direct: Gateway) -> None:
    for verb in ("error-late overloaded_error Overloaded", "drop-late"):
        text = complete(direct, verb, stream=True).text
        assert "[DONE]" not in text
        last = json.loads(text.rstrip().rpartition("data: ")[2])
        assert set(last) == {"error"}
    # Without a stream, it has a status.
    assert complete(direct, "drop-late").status_code == 503
    eventually(lambda: not direct.running())
