"""Tools that the client of a chat carries out, with the real CLI."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support import model_api
from tests.support.completions import ask, events, refused
from tests.support.gateway import Gateway, eventually, marked_in
from tests.support.real_cli import openai_settings
from tests.support.talk import await_turns, runs_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
OTHER = {"type": "function", "function": {"name": "other"}}
QUESTION = {"role": "user", "content": 'call: weather {"city": "Oslo"}'}


@pytest.fixture(autouse=True)
def nothing_held(face: Gateway) -> Iterator[None]:
    """No run waits when a test begins."""
    yield
    face.hang_up()


def first_step(face: Gateway, **named: Any) -> dict[str, Any]:
    """The assistant's message with the call."""
    answer = ask(face, messages=[QUESTION], tools=[WEATHER, OTHER], **named)
    assert answer.status_code == 200, answer.text
    (choice,) = answer.json()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    message: dict[str, Any] = choice["message"]
    return message


def second_step(face: Gateway, message: dict[str, Any], said: str, **named: Any) -> dict[str, Any]:
    """The completion after the result of the call."""
    (call,) = message["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": said}
    answer = ask(face, messages=[QUESTION, message, result], tools=[WEATHER, OTHER], **named)
    assert answer.status_code == 200, answer.text
    completion: dict[str, Any] = answer.json()
    return completion


def test_a_call_is_the_clients_and_its_result_the_models(
    face: Gateway, model: model_api.Server
) -> None:
    message = first_step(face)
    (call,) = message["tool_calls"]
    assert call["type"] == "function"
    assert call["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    assert {tool["name"] for tool in model.asked[-1]["tools"]} == {"weather", "other"}
    (run,) = runs_of(face)
    assert run["state"] == "held"
    completion = second_step(face, message, "it rains")
    (choice,) = completion["choices"]
    assert choice["finish_reason"] == "stop"
    assert "it rains" in choice["message"]["content"]
    asked = [m for m in model.asked[-1]["messages"] if m["role"] != "system"]
    assert [m["role"] for m in asked] == ["user", "assistant", "user"]
    eventually(lambda: not marked_in(face.state))


def test_a_second_step_goes_on_in_the_process_that_waits(face: Gateway) -> None:
    message = first_step(face)
    (run,) = runs_of(face)
    assert run["state"] == "held"
    completion = second_step(face, message, "sun")
    job = completion["id"].removeprefix("chatcmpl-")
    record = face.ask("GET", f"/jobs/{job}").json()
    assert (record["status"], record["run_id"]) == ("succeeded", run["run_id"])


def test_a_long_result_reaches_the_model_whole_though_a_run_waits(
    face: Gateway, model: model_api.Server
) -> None:
    message = first_step(face)
    assert [run["state"] for run in runs_of(face)] == ["held"]
    second_step(face, message, "x" * 600_000)
    assert "x" * 600_000 in json.dumps(model.asked[-1]["messages"])


@pytest.mark.parametrize("change", ["nothing left", "other result", "more words", "other tools"])
def test_without_that_process_the_answer_is_the_same(
    face: Gateway, model: model_api.Server, change: str
) -> None:
    message = first_step(face)
    (call,) = message["tool_calls"]
    messages = [QUESTION, message, {"role": "tool", "tool_call_id": call["id"], "content": "sun"}]
    tools = [WEATHER, OTHER]
    if change == "nothing left":
        for run in runs_of(face):
            assert face.ask("DELETE", f"/runs/{run['run_id']}").status_code == 200
    elif change == "other result":
        messages.insert(0, {"role": "system", "content": "Be brief."})
    elif change == "more words":
        messages.append({"role": "user", "content": "and now?"})
    else:
        tools = [WEATHER]
    answer = ask(face, messages=messages, tools=tools)
    assert answer.status_code == 200, answer.text
    assert "sun" in answer.text
    asked = [m for m in model.asked[-1]["messages"] if m["role"] != "system"]
    (use,) = [block for block in asked[1]["content"] if block["type"] == "tool_use"]
    (result,) = [block for block in asked[2]["content"] if block["type"] == "tool_result"]
    assert use["id"] == result["tool_use_id"] == call["id"]


def test_a_stream_has_the_calls_as_they_come(face: Gateway) -> None:
    answer = ask(face, messages=[QUESTION], tools=[WEATHER], stream=True)
    *chunks, done = events(answer)
    assert done == "[DONE]"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert calls[0]["function"]["name"] == "weather" and calls[0]["id"].startswith("toolu_")
    assert {call["index"] for call in calls} == {0}
    text = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(text) == {"city": "Oslo"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("said", ["/compact", "/cost", "!ls", "@/etc/passwd", "--help"])
def test_what_looks_like_a_command_is_a_text_for_the_model(face: Gateway, said: str) -> None:
    answer = ask(face, said, tools=[WEATHER])
    assert answer.json()["choices"][0]["message"]["content"] == f"You said: {said}"


def test_calls_of_a_history_that_have_the_same_id_keep_their_results(
    face: Gateway, model: model_api.Server
) -> None:
    function = {"name": "weather", "arguments": '{"city": NaN}'}
    calls = {"role": "assistant", "tool_calls": [{"id": "call_0", "function": function}] * 2}
    results = [{"role": "tool", "tool_call_id": "call_0", "content": word} for word in "ab"]
    turn = [calls, *results]
    answer = ask(face, messages=[QUESTION, *turn, *turn], tools=[WEATHER])
    assert answer.status_code == 200, answer.text
    messages = [m["content"] for m in model.asked[-1]["messages"] if m["role"] != "system"]
    found = [block for content in messages for block in content if block["type"] == "tool_result"]
    assert [block["content"][0]["text"] for block in found] == ["a", "b", "a", "b"]
    assert len({block["tool_use_id"] for block in found}) == 4


@pytest.mark.parametrize("said", ['{"n": 7}', '```json\n{"n": 7}\n```'])
@pytest.mark.parametrize("own", [{"tools": []}, {"claude": {"tools": ["Read"]}}])
def test_any_json_object_may_be_a_plain_answer(
    face: Gateway, model: model_api.Server, said: str, own: dict[str, Any]
) -> None:
    model.scenes["a number?"] = model_api.Scene(said, "true", said)
    wanted = {"type": "json_object"}
    answer = ask(face, "a number?", response_format=wanted, **own)
    assert answer.status_code == 200, answer.text
    (choice,) = answer.json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ('{"n": 7}', "stop")
    schema = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    answer = ask(face, "a number?", response_format=schema, **own)
    assert refused(answer) == (424, "no_structured_output", None)


def test_a_conversation_that_is_too_long_is_not_replaced_by_a_summary(
    face: Gateway, model: model_api.Server
) -> None:
    before = len(model.asked)
    long = {"role": "user", "content": "x" * 5_000_000}
    messages = [long, {"role": "assistant", "content": "a"}, {"role": "user", "content": "hello"}]
    answer = ask(face, messages=messages, tools=[])
    assert refused(answer) == (400, "context_length_exceeded", "messages")
    assert len(model.asked) == before


def test_no_tool_of_the_machine_is_there(face: Gateway, model: model_api.Server) -> None:
    answer = ask(face, "hello", tools=[])
    assert answer.json()["choices"][0]["message"]["content"] == "You said: hello"
    assert model.asked[-1].get("tools", []) == []
    assert "CLAUDE.md" not in json.dumps(model.asked[-1])


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("none", set()),
        ("auto", {"weather", "other"}),
        ({"type": "function", "function": {"name": "other"}}, {"other"}),
    ],
)
def test_the_choice_decides_which_tools_there_are(
    face: Gateway, model: model_api.Server, choice: Any, names: set[str]
) -> None:
    said = "call: other {}" if choice != "none" else "hello"
    answer = ask(face, said, tools=[WEATHER, OTHER], tool_choice=choice)
    assert answer.status_code == 200, answer.text
    assert {tool["name"] for tool in model.asked[-1].get("tools", [])} == names


def test_a_call_that_is_required_is_asked_for_once_more(
    face: Gateway, model: model_api.Server
) -> None:
    before = len(model.asked)
    answer = ask(face, "hello", tools=[WEATHER], tool_choice="required")
    assert refused(answer) == (424, "tool_not_called", None)
    assert answer.headers["X-Should-Retry"] == "false"
    assert len(model.asked) == before + 2


def test_the_most_tokens_are_the_models_own_limit(face: Gateway, model: model_api.Server) -> None:
    assert ask(face, "hello", tools=[WEATHER], max_tokens=123).status_code == 200
    assert model.asked[-1]["max_tokens"] == 123


def test_the_most_tokens_are_the_models_own_limit_in_a_later_step_too(
    face: Gateway, model: model_api.Server
) -> None:
    message = first_step(face, max_tokens=123)
    second_step(face, message, "sun", max_tokens=77)
    assert model.asked[-1]["max_tokens"] == 77


def test_an_error_of_the_models_api_goes_to_the_client_at_once(
    claude: Path, model: model_api.Server, start_gateway: Callable[..., Gateway]
) -> None:
    settings = openai_settings(model)
    del settings["CLAUDE_CODE_MAX_RETRIES"]
    gateway = start_gateway(claude, **settings)
    await_turns(gateway)
    before = len(model.asked)
    answer = ask(gateway, "fail: 529 overloaded_error Overloaded", tools=[WEATHER])
    assert answer.status_code == 529, answer.text
    assert "X-Should-Retry" not in answer.headers
    assert len(model.asked) == before + 1


@pytest.mark.parametrize(
    ("reason", "expected"), [("max_tokens", "length"), ("refusal", "content_filter")]
)
def test_what_the_cli_says_after_the_message_is_no_part_of_the_answer(
    face: Gateway, reason: str, expected: str
) -> None:
    """The CLI asks the model to go on."""
    answer = ask(face, f"cut: {reason}", tools=[WEATHER])
    (choice,) = answer.json()["choices"]
    assert choice["finish_reason"] == expected
    assert choice["message"]["content"] == f"You said: cut: {reason}"
    job = face.ask("GET", f"/jobs/{answer.headers['X-Process-ID']}").json()
    assert (job["status"], job["reason"]) == ("succeeded", reason)


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([{"type": "function", "function": {"name": "a b"}}], "tools[0].function.name"),
        (
            [
                {
                    "type": "function",
                    "function": {
                        "name": "a",
                        "parameters": {"type": "object", "properties": {"b": {"type": "text"}}},
                    },
                }
            ],
            "tools[0].function.parameters",
        ),
        ([WEATHER, WEATHER], "tools[1].function.name"),
        ([{"type": "custom"}], "tools[0].type"),
        ([{"type": "function"}], "tools[0].function"),
        ("x", "tools"),
    ],
)
def test_bad_tools_are_named(face: Gateway, tools: Any, param: str) -> None:
    status, _, named = refused(ask(face, "hello", tools=tools))
    assert (status, named) == (400, param)


def test_a_run_waits_on_if_the_job_with_its_results_cannot_start(
    claude: Path, model: model_api.Server, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(claude, **openai_settings(model), MAX_JOBS="1", QUEUE_SIZE="0")
    await_turns(gateway)
    message = first_step(gateway)
    (held,) = runs_of(gateway)
    other = gateway.post("wait: 60", detach=True).headers["X-Process-ID"]
    (call,) = message["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "it rains"}
    answer = ask(gateway, messages=[QUESTION, message, result], tools=[WEATHER, OTHER])
    assert refused(answer)[:2] == (429, "rate_limit_exceeded")
    assert gateway.ask("DELETE", f"/chat/{other}").status_code == 200
    completion = second_step(gateway, message, "it rains")
    job = completion["id"].removeprefix("chatcmpl-")
    assert gateway.ask("GET", f"/jobs/{job}").json()["run_id"] == held["run_id"]


STRICT = {"type": "function", "function": {**WEATHER["function"], "strict": True}}


@pytest.mark.parametrize("stream", [False, True])
def test_a_strict_call_that_does_not_follow_its_schema_is_no_answer(
    face: Gateway, stream: bool
) -> None:
    good = ask(face, messages=[QUESTION], tools=[STRICT], stream=stream)
    assert b"tool_calls" in good.content.split(b"finish_reason")[-1]
    bad = ask(face, 'call: weather {"city": 5}', tools=[STRICT], stream=stream)
    if stream:
        *chunks, last = events(bad)
        assert last["error"]["code"] == "invalid_tool_arguments"
        assert "city: must be of the type string" in last["error"]["message"]
        assert {chunk["choices"][0]["finish_reason"] for chunk in chunks} == {None}
    else:
        assert refused(bad) == (424, "invalid_tool_arguments", None)
        assert bad.headers["X-Should-Retry"] == "false"
    # No other tool is checked.
    loose = ask(face, 'call: weather {"city": 5}', tools=[WEATHER], stream=stream)
    assert b"tool_calls" in loose.content.split(b"finish_reason")[-1]


@pytest.mark.parametrize("stream", [False, True])
def test_one_call_at_a_time_is_handed_out_alone(face: Gateway, stream: bool) -> None:
    said = 'calls: [["weather", {"city": "Oslo"}], ["other", {}]]'
    tools = [WEATHER, OTHER]
    assert len(calls_of(ask(face, said, tools=tools, stream=stream))) == 2
    one = ask(face, said, tools=tools, parallel_tool_calls=False, stream=stream)
    assert calls_of(one) == ["weather"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "weather"}}]
)
def test_a_choice_that_the_model_follows_has_the_call_alone(
    face: Gateway, choice: Any, stream: bool
) -> None:
    answer = ask(face, messages=[QUESTION], tools=[WEATHER], tool_choice=choice, stream=stream)
    assert calls_of(answer) == ["weather"]
    refusal = ask(face, "hello", tools=[WEATHER], tool_choice=choice, stream=stream)
    assert b"You said" not in refusal.content
    assert refused(refusal)[:2] == (424, "tool_not_called")


def calls_of(answer: requests.Response) -> list[str]:
    """The names of the tools that an answer calls."""
    assert answer.status_code == 200, answer.text
    if answer.headers["Content-Type"] == "application/json":
        (choice,) = answer.json()["choices"]
        calls = choice["message"]["tool_calls"]
    else:
        chunks = [chunk["choices"][0]["delta"] for chunk in events(answer)[:-1]]
        calls = [call for delta in chunks for call in delta.get("tool_calls", [])]
    return [call["function"]["name"] for call in calls if "name" in call["function"]]
