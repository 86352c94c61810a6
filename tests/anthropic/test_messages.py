"""`POST /v1/messages` with the real CLI."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import model_api
from tests.support.anthropic_messages import create, events, refused, texts
from tests.support.gateway import Gateway, eventually, marked_in
from tests.support.real_cli import API_KEY
from tests.support.talk import runs_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

WEATHER = {
    "name": "weather",
    "description": "The weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    "cache_control": {"type": "ephemeral"},
}
OTHER = {"name": "other", "input_schema": {"type": "object"}}
RESULT = {"type": "tool_result"}
QUESTION = {"role": "user", "content": 'think: call: weather {"city": "Oslo"}'}


@pytest.fixture(autouse=True)
def nothing_held(face: Gateway) -> Iterator[None]:
    """No run waits when a test begins."""
    yield
    face.hang_up()


def said_to(model: model_api.Server) -> list[dict[str, Any]]:
    """The messages that the model's API has got last, without the CLI's own."""
    return [each for each in model.asked[-1]["messages"] if each["role"] != "system"]


def test_a_message_is_as_the_models_api_sends_it(face: Gateway, model: model_api.Server) -> None:
    answer = create(face, "think: hello", thinking={"type": "adaptive"}, max_tokens=123)
    assert answer.status_code == 200, answer.text
    message = answer.json()
    assert message["id"].startswith("msg_") and message["type"] == "message"
    assert message["content"] == [
        {"type": "thinking", "thinking": "Well.", "signature": "c2lnbmVk"},
        {"type": "text", "text": "You said: hello"},
    ]
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    assert message["usage"]["input_tokens"] > 0 and message["usage"]["output_tokens"] > 0
    assert answer.headers["request-id"] and answer.headers["X-Process-ID"]
    assert model.asked[-1]["max_tokens"] == 123
    assert model.asked[-1]["thinking"]["type"] == "adaptive"


def test_a_stream_has_the_events_of_the_models_api(face: Gateway, model: model_api.Server) -> None:
    found = events(create(face, "think: hello", stream=True))
    assert [event["type"] for event in found] == [
        "message_start",
        *("content_block_start", "content_block_delta", "content_block_delta"),
        *("content_block_stop", "content_block_start"),
        *["content_block_delta"] * 3,
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    assert found[0]["message"]["content"] == []
    assert texts(found) == "You said: hello"
    # The model's API thinks only where a request asks for it.
    assert "thinking" not in model.asked[-1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_the_clients_and_its_result_the_models(
    face: Gateway, model: model_api.Server, stream: bool
) -> None:
    answer = create(face, messages=[QUESTION], tools=[WEATHER, OTHER], stream=stream)
    if stream:
        found = events(answer)
        (start,) = [each for each in found if each.get("content_block", {}).get("name")]
        call_id = start["content_block"]["id"]
        assert found[-2]["delta"]["stop_reason"] == "tool_use"
        content = [
            {"type": "thinking", "thinking": "Well.", "signature": "c2lnbmVk"},
            {"type": "text", "text": texts(found)},
            {"type": "tool_use", "id": call_id, "name": "weather", "input": {"city": "Oslo"}},
        ]
    else:
        message = answer.json()
        assert message["stop_reason"] == "tool_use"
        content = message["content"]
        assert content[2]["input"] == {"city": "Oslo"}
        call_id = content[2]["id"]
    assert {tool["name"] for tool in model.asked[-1]["tools"]} == {"weather", "other"}
    (run,) = runs_of(face)
    assert run["state"] == "held"
    result = {"type": "tool_result", "tool_use_id": call_id, "content": "it rains"}
    messages = [
        QUESTION,
        {"role": "assistant", "content": content},
        {"role": "user", "content": [{**result, "cache_control": {"type": "ephemeral"}}]},
    ]
    second = create(face, messages=messages, tools=[WEATHER, OTHER])
    assert "it rains" in second.json()["content"][0]["text"]
    record = face.ask("GET", f"/jobs/{second.headers['X-Process-ID']}").json()
    assert record["run_id"] == run["run_id"]
    assert [each["role"] for each in said_to(model)] == ["user", "assistant", "user"]
    eventually(lambda: not marked_in(face.state))


def test_a_history_reaches_the_model_as_it_is(face: Gateway, model: model_api.Server) -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    calls = [
        {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {"city": "Oslo"}}
        for name in ("weather", "other")
    ]
    results = [
        {**RESULT, "tool_use_id": "toolu_weather", "content": "down", "is_error": True},
        {**RESULT, "tool_use_id": "toolu_other"},
        {"type": "text", "text": "/compact and go on", "cache_control": {"type": "ephemeral"}},
    ]
    messages = [
        {"role": "user", "content": [{"type": "document", "source": source, "title": "Paper"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "I read it."}, *calls]},
        {"role": "user", "content": results},
        {"role": "system", "content": "Be brief."},
    ]
    system = [
        {"type": "text", "text": "x-anthropic-billing-header: cch=1"},
        {"type": "text", "text": "You are a parrot.", "cache_control": {"type": "ephemeral"}},
    ]
    answer = create(face, messages=messages, system=system, tools=[WEATHER, OTHER])
    assert answer.status_code == 200, answer.text
    first, second, third = said_to(model)
    assert {"type": "document", "source": source, "title": "Paper"} in first["content"]
    assert [block for block in second["content"] if block["type"] == "tool_use"] == calls
    said = {block.get("tool_use_id"): block for block in third["content"]}
    assert said["toolu_weather"]["is_error"] is True
    assert "toolu_other" in said
    assert "/compact and go on" in json.dumps(third) and "Be brief." in json.dumps(third)
    prompt = json.dumps(model.asked[-1]["system"])
    assert "You are a parrot." in prompt and "cch=1" not in prompt


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "none"}, set()),
        ({"type": "auto"}, {"weather", "other"}),
        ({"type": "tool", "name": "other"}, {"other"}),
    ],
)
def test_the_choice_decides_which_tools_there_are(
    face: Gateway, model: model_api.Server, choice: Any, names: set[str]
) -> None:
    said = "call: other {}" if choice["type"] != "none" else "hello"
    answer = create(face, said, tools=[WEATHER, OTHER], tool_choice=choice, stream=True)
    found = events(answer)
    assert found[0]["type"] == "message_start" and found[-1]["type"] == "message_stop"
    assert {tool["name"] for tool in model.asked[-1].get("tools", [])} == names


def test_a_call_that_is_required_is_asked_for_once_more(
    face: Gateway, model: model_api.Server
) -> None:
    before = len(model.asked)
    answer = create(face, "hello", tools=[WEATHER], tool_choice={"type": "any"}, stream=True)
    assert refused(answer)[:2] == (424, "api_error")
    assert answer.headers["X-Should-Retry"] == "false"
    assert len(model.asked) == before + 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_sequence_ends_the_message(face: Gateway, stream: bool) -> None:
    answer = create(face, "one two END three", stop_sequences=["END", "STOP"], stream=stream)
    if stream:
        found = events(answer)
        kinds = [event["type"] for event in found]
        assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
        assert found[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
        assert found[-2]["usage"]["output_tokens"] > 0
        assert texts(found) == "You said: one two "
    else:
        message = answer.json()
        assert message["content"] == [{"type": "text", "text": "You said: one two "}]
        assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")


@pytest.mark.parametrize("reason", ["max_tokens", "refusal"])
def test_what_the_cli_says_after_the_message_is_no_part_of_it(face: Gateway, reason: str) -> None:
    """The CLI asks the model to go on."""
    answer = create(face, f"cut: {reason}")
    message = answer.json()
    assert message["stop_reason"] == reason
    assert message["content"] == [{"type": "text", "text": f"You said: cut: {reason}"}]
    job = face.ask("GET", f"/jobs/{answer.headers['X-Process-ID']}").json()
    assert (job["status"], job["reason"], job["is_error"]) == ("succeeded", reason, False)
    assert "error" not in job


def test_a_call_of_a_tool_that_is_none_is_passed_on_too(
    face: Gateway, model: model_api.Server
) -> None:
    """The CLI says that there is no such tool, and asks the model again."""
    message = create(face, "call: SendMessage {}", tools=[WEATHER]).json()
    assert message["stop_reason"] == "tool_use"
    assert [block["type"] for block in message["content"]] == ["text", "tool_use"]
    assert message["content"][1]["name"] == "SendMessage"


def test_an_answer_can_follow_a_schema(face: Gateway) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    message = create(face, 'json: {"n": 7}', output_config=wanted).json()
    (block,) = message["content"]
    assert json.loads(block["text"]) == {"n": 7}
    assert message["stop_reason"] == "end_turn"


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", (400, "invalid_request_error")),
        (401, "authentication_error", (424, "api_error")),
        (429, "rate_limit_error", (429, "rate_limit_error")),
        (500, "api_error", (503, "api_error")),
        (529, "overloaded_error", (529, "overloaded_error")),
    ],
)
def test_what_the_models_api_refuses_has_its_status(
    face: Gateway, status: int, kind: str, expected: tuple[int, str]
) -> None:
    answer = create(face, f"fail: {status} {kind} no such luck", stream=True)
    assert refused(answer)[:2] == expected
    # Nothing was done, and the CLI has not asked again.
    may_retry = expected[0] in (429, 503, 529)
    assert answer.headers.get("X-Should-Retry") == (None if may_retry else "false")


def test_a_failure_after_the_beginning_is_an_event(face: Gateway) -> None:
    found = events(create(face, "break: a b", stream=True))
    assert found[0]["type"] == "message_start"
    assert found[-1]["type"] == "error"
    assert found[-1]["error"]["type"] == "overloaded_error"
    assert "message_stop" not in {event["type"] for event in found}


def test_what_has_no_effect_is_accepted_and_named(face: Gateway, model: model_api.Server) -> None:
    answer = create(
        face,
        "hello",
        path="/v1/messages?beta=true",
        headers={"anthropic-version": "2023-06-01", "anthropic-beta": "a-2025-01-01"},
        temperature=0.5,
        top_k=3,
        metadata={"user_id": "x"},
        service_tier="auto",
        context_management={"edits": []},
        output_config={"effort": "high"},
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    assert answer.status_code == 200, answer.text
    ignored = "context_management, metadata, service_tier, temperature, top_k"
    assert answer.headers["X-Claude-Ignored"] == ignored
    assert model.asked[-1]["output_config"]["effort"] == "high"


def test_a_key_is_in_either_header(face: Gateway) -> None:
    for headers in ({"x-api-key": API_KEY}, {"Authorization": f"Bearer {API_KEY}"}):
        answer = create(face, auth=None, headers=headers, path="/v1/messages/count_tokens")
        assert answer.status_code == 200, answer.text
        assert answer.json()["input_tokens"] > 0 and answer.headers["X-Estimated"] == "true"
