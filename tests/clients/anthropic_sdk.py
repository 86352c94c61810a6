"""What Anthropic's own Python SDK finds at the gateway; run with the Python of venv-clients/.

Each function is one story. ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY say where the gateway is.
"""

import json

import anthropic
from anthropic.types import Message
from pydantic import BaseModel
from stories import tell

client = anthropic.Anthropic(max_retries=0)
ASK = {"model": "sonnet", "max_tokens": 1000}
WEATHER = {
    "name": "weather",
    "description": "The weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def a_message_is_what_the_sdk_says() -> None:
    raw = client.messages.with_raw_response.create(**ASK, messages=user("cached: 700 30"))
    message = raw.parse()
    Message.model_validate(json.loads(raw.text()))
    assert message.content[0].text == "You said: cached: 700 30"
    assert message.usage.cache_read_input_tokens == 700
    assert message.stop_reason == "end_turn"
    assert message._request_id == raw.headers["X-Request-ID"]


def a_stream_adds_up_to_the_message() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    asked = {**ASK, "messages": user("think: hello"), "thinking": thinking}
    with client.messages.stream(**asked) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    thought, text = message.content
    assert (thought.thinking, thought.signature) == ("Well.", "c2lnbmVk")
    assert text.text == "You said: hello"


def a_round_of_tools_with_thinking_ends_in_an_answer() -> None:
    messages = user('think: call: weather {"city": "Oslo"}')
    first = client.messages.create(**ASK, messages=messages, tools=[WEATHER])
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use" and call.input == {"city": "Oslo"}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "it rains"}
    messages += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    second = client.messages.create(**ASK, messages=messages, tools=[WEATHER])
    assert "it rains" in second.content[0].text


def the_tool_runner_runs_a_tool() -> None:
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather."""
        return f"it rains in {city}"

    asked = user('call: weather {"city": "Oslo"}')
    last = client.beta.messages.tool_runner(**ASK, messages=asked, tools=[weather]).until_done()
    assert "it rains in Oslo" in last.content[0].text


def a_model_of_pydantic_is_the_answer() -> None:
    class Number(BaseModel):
        n: int

    parsed = client.messages.parse(**ASK, messages=user('json: {"n": 7}'), output_format=Number)
    assert parsed.parsed_output == Number(n=7)


def each_error_has_its_class() -> None:
    bad = anthropic.BadRequestError
    for text, kind in (
        ("fail: 400 invalid_request_error prompt is too long: 250000 tokens > 200000", bad),
        ("fail: 429 rate_limit_error slow down", anthropic.RateLimitError),
        ("fail: 529 overloaded_error busy", anthropic.InternalServerError),
        ("fail: 401 authentication_error no", anthropic.APIStatusError),
    ):
        try:
            client.messages.create(**ASK, messages=user(text))
        except kind as error:
            assert error.request_id, text
            assert "too long" not in text or "prompt is too long" in str(error), error
        else:
            raise AssertionError(text)
    try:
        client.with_options(api_key="no-such-key").messages.create(**ASK, messages=user("x"))
    except anthropic.AuthenticationError:
        pass
    else:
        raise AssertionError("a wrong key is taken")


def a_failure_in_a_stream_is_raised() -> None:
    try:
        with client.messages.stream(**ASK, messages=user("break: a b")) as stream:
            stream.get_final_message()
    except anthropic.APIStatusError as error:
        assert "Overloaded" in str(error), error
    else:
        raise AssertionError("no error")


def models_and_tokens_are_counted() -> None:
    models = list(client.models.list(limit=1000))
    assert {model.type for model in models} == {"model"}
    assert client.models.retrieve("claude-opus-5-5").display_name == "Claude Opus 5.5"
    count = client.messages.count_tokens(model="sonnet", messages=user("hello"), tools=[WEATHER])
    assert count.input_tokens > 10


tell(globals())
