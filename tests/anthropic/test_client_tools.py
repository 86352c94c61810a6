"""How the model may call a client's tools in `POST /v1/messages`, with the real CLI."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.anthropic_messages import create, events, refused
from tests.support.gateway import Gateway

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "weather", "input_schema": CITY}
OTHER = {"name": "other", "input_schema": {"type": "object"}}
GOOD, BAD = 'call: weather {"city": "Oslo"}', 'call: weather {"city": 5}'


@pytest.fixture(autouse=True)
def nothing_held(face: Gateway) -> Iterator[None]:
    """No run waits when a test begins."""
    yield
    face.hang_up()


def calls_of(answer: requests.Response) -> list[str]:
    """The names of the tools that an answer calls."""
    assert answer.status_code == 200, answer.text
    if answer.headers["Content-Type"] == "application/json":
        assert answer.json()["stop_reason"] == "tool_use"
        blocks = answer.json()["content"]
    else:
        found = events(answer)
        assert found[-2]["delta"]["stop_reason"] == "tool_use"
        blocks = [each["content_block"] for each in found if "content_block" in each]
    return [block["name"] for block in blocks if block["type"] == "tool_use"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_strict_call_that_does_not_follow_its_schema_is_no_answer(
    face: Gateway, stream: bool
) -> None:
    strict = {**WEATHER, "strict": True}
    assert calls_of(create(face, GOOD, tools=[strict], stream=stream)) == ["weather"]
    bad = create(face, BAD, tools=[strict], stream=stream)
    if stream:
        *begun, last = events(bad)
        assert (last["type"], last["error"]["code"]) == ("error", "invalid_tool_arguments")
        # The call has not ended.
        assert [each["type"] for each in begun].count("content_block_stop") == 1
    else:
        status, kind, message = refused(bad)
        assert (status, kind) == (424, "api_error")
        assert "'weather'" in message and "city: must be of the type string" in message
    assert calls_of(create(face, BAD, tools=[WEATHER], stream=stream)) == ["weather"]


@pytest.mark.parametrize("stream", [False, True])
def test_one_call_at_a_time_is_handed_out_alone(face: Gateway, stream: bool) -> None:
    said = 'calls: [["weather", {"city": "Oslo"}], ["other", {}]]'
    tools = [WEATHER, OTHER]
    assert calls_of(create(face, said, tools=tools, stream=stream)) == ["weather", "other"]
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    one = create(face, said, tools=tools, tool_choice=choice, stream=stream)
    assert calls_of(one) == ["weather"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
def test_a_call_that_the_client_demands_is_the_answer_or_there_is_none(
    face: Gateway, choice: Any, stream: bool
) -> None:
    named: dict[str, Any] = {"tools": [WEATHER], "tool_choice": choice, "stream": stream}
    assert calls_of(create(face, GOOD, **named)) == ["weather"]
    refusal = create(face, "hello", **named)
    assert refused(refusal)[0] == 424
    assert refusal.json()["error"]["code"] == "tool_not_called"


def test_an_invalid_schema_names_its_tool(face: Gateway) -> None:
    wrong = {"name": "broken", "input_schema": {"type": "object", "required": "city"}}
    status, kind, message = refused(create(face, "hello", tools=[WEATHER, wrong]))
    assert (status, kind) == (400, "invalid_request_error")
    assert message.startswith("tools.1.input_schema: ") and "'broken'" in message
    # What clients send for no arguments passes.
    odd = {"name": "odd", "input_schema": {"type": "object", "properties": []}}
    assert create(face, "hello", tools=[odd]).status_code == 200
