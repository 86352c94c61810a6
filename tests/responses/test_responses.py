"""`POST /v1/responses` with the real CLI."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import model_api
from tests.support.gateway import Gateway
from tests.support.responses import calls_of, events, refused, respond, response_of, text_of
from tests.support.talk import runs_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "name": "weather", "parameters": CITY}
GOOD = 'call: weather {"city": "Oslo"}'


@pytest.fixture(autouse=True)
def nothing_held(face: Gateway) -> Iterator[None]:
    """No run waits when a test begins."""
    yield
    face.hang_up()


def said_to(model: model_api.Server) -> list[dict[str, Any]]:
    """The messages that the model's API has got last, without the CLI's own."""
    return [each for each in model.asked[-1]["messages"] if each["role"] != "system"]


def user(text: str) -> dict[str, Any]:
    """A message without a type, as most clients send it."""
    return {"role": "user", "content": text}


def test_a_response_has_the_models_text_and_usage(face: Gateway, model: model_api.Server) -> None:
    answer = respond(
        face, "cached: 700 30", instructions="Be brief.", max_output_tokens=123, temperature=0.5
    )
    response = response_of(answer)
    assert response["id"] == f"resp_{answer.headers['X-Process-ID']}"
    assert (response["object"], response["status"]) == ("response", "completed")
    assert response["created_at"] <= response["completed_at"]
    (item,) = response["output"]
    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
    assert text_of(response) == "You said: cached: 700 30"
    usage = response["usage"]
    assert usage["input_tokens_details"] == {"cached_tokens": 700, "cache_write_tokens": 30}
    assert usage["input_tokens"] == len("cached: 700 30") + 730
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens_details"] == {"reasoning_tokens": 0}
    assert (response["instructions"], response["max_output_tokens"]) == ("Be brief.", 123)
    assert answer.headers["X-Claude-Ignored"] == "temperature"
    assert model.asked[-1]["max_tokens"] == 123
    assert "Be brief." in json.dumps(model.asked[-1]["system"])


def test_the_events_come_in_the_order_that_clients_need(face: Gateway) -> None:
    answer = respond(face, "think: hello", stream=True)
    found = events(answer)
    summary, text = "response.reasoning_summary", "response.output_text"
    assert [event["type"] for event in found] == [
        *("response.created", "response.in_progress"),
        *("response.output_item.added", f"{summary}_part.added", f"{summary}_text.delta"),
        *(f"{summary}_text.done", f"{summary}_part.done", "response.output_item.done"),
        *("response.output_item.added", "response.content_part.added"),
        *[f"{text}.delta"] * 3,
        *(f"{text}.done", "response.content_part.done", "response.output_item.done"),
        "response.completed",
    ]
    assert found[0]["response"]["output"] == []
    assert "".join(e["delta"] for e in found if e["type"] == f"{text}.delta") == "You said: hello"
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    response = found[-1]["response"]
    assert response["output"] == done
    assert [item["type"] for item in done] == ["reasoning", "message"]
    assert done[0]["summary"] == [{"type": "summary_text", "text": "Well."}]
    for event in found[2:-1]:
        assert event["output_index"] in (0, 1)
        assert event.get("item_id") in (None, done[event["output_index"]]["id"])


def test_a_call_is_the_clients_and_its_result_the_models(
    face: Gateway, model: model_api.Server
) -> None:
    found = events(respond(face, GOOD, tools=[WEATHER], stream=True))
    assert [event["type"] for event in found if event.get("output_index") == 1] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    response = found[-1]["response"]
    (call,) = calls_of(response)
    assert (call["type"], call["name"]) == ("function_call", "weather")
    assert json.loads(call["arguments"]) == {"city": "Oslo"}
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
    (held,) = runs_of(face)
    assert held["state"] == "held"
    history = [user(GOOD), *response["output"], result]
    answer = respond(face, input=history, tools=[WEATHER])
    assert "rain" in text_of(response_of(answer))
    job = face.ask("GET", f"/jobs/{answer.headers['X-Process-ID']}").json()
    assert job["run_id"] == held["run_id"]
    asked, called, resulted = said_to(model)
    assert asked["content"][0]["text"] == GOOD
    assert [block["type"] for block in called["content"]] == ["text", "tool_use"]
    assert called["content"][1]["id"] == call["call_id"]
    assert resulted["content"][0]["tool_use_id"] == call["call_id"]


def test_results_are_enough_without_a_run_that_waits(
    face: Gateway, model: model_api.Server
) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1"}
    parts = [{"type": "input_text", "text": "rain"}]
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None}
    items = [user("hi"), thought, call, {**call, "call_id": "call_2"}]
    items += [{**result, "output": parts}, {**result, "call_id": "call_2", "output": "sun"}]
    assert "rain" in text_of(response_of(respond(face, input=items, tools=[WEATHER])))
    _, called, resulted = said_to(model)
    assert [block["id"] for block in called["content"]] == ["call_1", "call_2"]
    assert [block["tool_use_id"] for block in resulted["content"][:2]] == ["call_1", "call_2"]


def test_namespaces_and_custom_tools_are_functions_of_the_model(
    face: Gateway, model: model_api.Server
) -> None:
    tools = [
        WEATHER,
        {"type": "namespace", "name": "north", "tools": [{**WEATHER, "description": "cold"}]},
        {"type": "custom", "name": "shell", "description": "Run it", "format": {"type": "text"}},
        {"type": "web_search"},
    ]
    answer = respond(face, 'call: north__weather {"city": "Oslo"}', tools=tools)
    (call,) = calls_of(response_of(answer))
    assert (call["name"], call["namespace"]) == ("weather", "north")
    assert answer.headers["X-Claude-Ignored"] == "web_search"
    offered = {tool["name"]: tool for tool in model.asked[-1]["tools"]}
    assert {"weather", "north__weather", "shell"} <= set(offered)

    found = events(respond(face, 'call: shell {"input": "ls -l"}', tools=tools, stream=True))
    (call,) = calls_of(found[-1]["response"])
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "shell", "ls -l")
    (done,) = [e for e in found if e["type"] == "response.custom_tool_call_input.done"]
    assert done["input"] == "ls -l"
    result = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "a.txt"}
    answer = respond(face, input=[user("hi"), call, result], tools=tools)
    assert "a.txt" in text_of(response_of(answer))
    assert said_to(model)[1]["content"][0]["input"] == {"input": "ls -l"}


def test_a_call_that_the_client_demands_is_the_answer_or_there_is_none(face: Gateway) -> None:
    missing = respond(face, "hello", tools=[WEATHER], tool_choice="required")
    assert refused(missing) == (424, "tool_not_called", None)


def test_a_text_follows_its_schema(face: Gateway) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
    text = {"format": {"type": "json_schema", "name": "x", "strict": True, "schema": schema}}
    response = response_of(respond(face, 'json: {"n": 7}', text=text, stream=True))
    assert json.loads(text_of(response)) == {"n": 7}
    assert response["text"] == text
    assert refused(respond(face, "hello", text=text))[:2] == (424, "no_structured_output")


@pytest.mark.parametrize("own", [{}, {"claude": {"tools": ["Read"]}}])
def test_any_json_object_may_be_a_plain_answer(
    face: Gateway, model: model_api.Server, own: dict[str, Any]
) -> None:
    said = '```json\n{"n": 7}\n```'
    model.scenes["a number?"] = model_api.Scene(said, "true", said)
    text = {"format": {"type": "json_object"}}
    response = response_of(respond(face, "a number?", text=text, **own))
    assert (response["status"], text_of(response)) == ("completed", '{"n": 7}')


def test_an_answer_that_is_too_long_is_not_complete(face: Gateway) -> None:
    response = response_of(respond(face, "cut: max_tokens", stream=True))
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert text_of(response) == "You said: cut: max_tokens"


def test_an_agent_works_with_its_own_tools(face: Gateway) -> None:
    answer = respond(face, "bash: echo hi", claude={"mode": "agent"}, stream=True)
    found = events(answer)
    response = found[-1]["response"]
    assert text_of(response) == 'I run it.\n\nThe tool said: "hi"'
    assert response["usage"]["output_tokens"] > 0
    follow = [user("bash: echo hi"), *response["output"], user("and now?")]
    next_answer = respond(face, input=follow, claude={"mode": "agent"}, stream=True)
    assert next_answer.headers["X-Session-ID"] == answer.headers["X-Session-ID"]


def test_failures_have_the_status_and_the_names_of_openais_api(face: Gateway) -> None:
    bad = "fail: 400 invalid_request_error prompt is too long: 250000 tokens > 200000 maximum"
    assert refused(respond(face, bad)) == (400, "context_length_exceeded", "input")
    limit = respond(face, "fail: 429 rate_limit_error slow down", stream=True)
    assert refused(limit) == (429, "rate_limit_exceeded", None)
    assert refused(respond(face, "hello", model="gpt-5")) == (404, "model_not_found", "model")
    last = events(respond(face, "break: a b c", stream=True))[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["status"] == "failed"
    assert last["response"]["error"]["code"] in ("cli_failed", "overloaded")
