"""What OpenAI's own Python SDK finds at the gateway; run with the Python of venv-clients/.

Each function is one story. OPENAI_BASE_URL and OPENAI_API_KEY say where the gateway is.
"""

import json

import httpx
import openai
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel
from stories import tell

client = openai.OpenAI(max_retries=0)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def a_completion_is_what_the_sdk_says() -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="sonnet", messages=user("cached: 700 30"), temperature=0.5, top_p=1
    )
    answer = raw.parse()
    ChatCompletion.model_validate(json.loads(raw.text))
    assert answer.choices[0].message.content == "You said: cached: 700 30"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == len("cached: 700 30") + 730
    assert answer.usage.prompt_tokens_details.cached_tokens == 700
    assert answer.usage.completion_tokens == 5
    assert answer.id == f"chatcmpl-{raw.headers['X-Process-ID']}"
    assert answer.model.startswith("claude-sonnet")
    assert raw.headers["X-Claude-Ignored"] == "temperature, top_p"
    assert answer._request_id == raw.headers["X-Request-ID"]


def every_chunk_is_what_the_sdk_says() -> None:
    body = {"model": "sonnet", "messages": user("bash: echo hi"), "stream": True}
    body["stream_options"] = {"include_usage": True}
    headers = {"Authorization": f"Bearer {client.api_key}", "X-Claude-Events": "true"}
    with httpx.Client(trust_env=False, timeout=50) as plain:
        url = f"{client.base_url}chat/completions"
        answer = plain.post(url, json=body, headers=headers)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    events = [event for event in answer.text.split("\n\n") if event]
    assert events.pop() == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    parsed = [ChatCompletionChunk.model_validate(chunk) for chunk in chunks]
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in parsed}) == 1
    assert parsed[0].choices[0].delta.role == "assistant"
    *_, last, usage = parsed
    assert last.choices[0].finish_reason == "stop"
    assert usage.choices == [] and usage.usage.total_tokens > 0
    assert all(chunk.usage is None for chunk in parsed[:-1])
    kinds = {chunk["claude"]["type"] for chunk in chunks if "claude" in chunk}
    assert {"system", "assistant", "user", "result"} <= kinds, kinds
    assert "stream_event" not in kinds
    text = "".join(c.choices[0].delta.content or "" for c in parsed if c.choices)
    assert text == 'I run it.\n\nThe tool said: "hi"', text


def a_stream_comes_in_pieces() -> None:
    stream = client.chat.completions.create(
        model="sonnet", messages=user("slow: 20 0.01"), stream=True
    )
    pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content]
    assert "".join(pieces) == " ".join(f"word-{number}" for number in range(20))
    assert len(pieces) > 10


def the_streaming_helper_works() -> None:
    with client.chat.completions.stream(model="sonnet", messages=user("hello")) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "You said: hello"


class Step(BaseModel):
    why: str
    value: int


class Sum(BaseModel):
    steps: list[Step]
    total: int


def an_answer_is_parsed() -> None:
    given = {"steps": [{"why": "one", "value": 1}], "total": 1}
    answer = client.chat.completions.parse(
        model="sonnet", messages=user(f"json: {json.dumps(given)}"), response_format=Sum
    )
    assert answer.choices[0].message.parsed == Sum(**given)
    assert answer.choices[0].finish_reason == "stop"


def an_answer_that_follows_no_schema_is_an_error() -> None:
    try:
        client.chat.completions.parse(model="sonnet", messages=user("hello"), response_format=Sum)
    except openai.APIStatusError as error:
        assert (error.status_code, error.code) == (424, "no_structured_output"), error
    else:
        raise AssertionError("it passed")


def errors_have_their_classes() -> None:
    def refused(kind: type[openai.APIStatusError], code: str, param: str | None, **named) -> None:
        named = {"model": "sonnet", "messages": user("hello"), **named}
        try:
            client.chat.completions.create(**named)
        except kind as error:
            assert (error.code, error.param) == (code, param), (error.code, error.param)
            assert error.message and error.request_id
        else:
            raise AssertionError(f"{code} did not come")

    bad, missing = openai.BadRequestError, openai.NotFoundError
    refused(bad, "unsupported_parameter", "n", n=2)
    refused(bad, "invalid_request", "messages", messages=[])
    refused(missing, "model_not_found", "model", model="gpt-5")
    long = "fail: 400 invalid_request_error prompt is too long: 250000 tokens > 200000 maximum"
    refused(bad, "context_length_exceeded", "messages", messages=user(long))
    gone = user("fail: 404 not_found_error model: x")
    refused(missing, "model_not_found", "model", messages=gone)
    wrong = {"type": "object", "properties": {"n": {"type": "number"}}, "required": "n"}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": wrong}}
    refused(bad, "invalid_json_schema", "response_format", response_format=form)
    limit = user("fail: 429 rate_limit_error slow down")
    refused(openai.RateLimitError, "rate_limit_exceeded", None, messages=limit)
    busy = user("fail: 529 overloaded_error Overloaded")
    refused(openai.InternalServerError, "overloaded", None, messages=busy)
    key = user("fail: 401 authentication_error invalid x-api-key")
    refused(openai.APIStatusError, "upstream_unauthorized", None, messages=key)
    stranger = openai.OpenAI(api_key="wrong", max_retries=0)
    try:
        stranger.chat.completions.create(model="sonnet", messages=user("hello"))
    except openai.AuthenticationError as error:
        assert error.code == "invalid_api_key"
    else:
        raise AssertionError("a wrong key passed")


def a_stream_that_cannot_begin_has_a_status() -> None:
    try:
        client.chat.completions.create(
            model="sonnet", messages=user("fail: 529 overloaded_error Overloaded"), stream=True
        )
    except openai.InternalServerError as error:
        assert error.code == "overloaded"
    else:
        raise AssertionError("it began")


def an_error_in_mid_stream_is_raised() -> None:
    seen = []
    try:
        for chunk in client.chat.completions.create(
            model="sonnet", messages=user("break: a b c"), stream=True
        ):
            seen.append(chunk.choices[0])
    except openai.APIError as error:
        assert error.code == "cli_failed", error.code
    else:
        raise AssertionError("it ended in order")
    assert "".join(choice.delta.content or "" for choice in seen).startswith("You said")
    assert not any(choice.finish_reason for choice in seen)


def a_conversation_goes_on_by_itself() -> None:
    messages = user("remember this")
    first = client.chat.completions.create(model="sonnet", messages=messages)
    messages += [first.choices[0].message.model_dump(), *user("and now?")]
    second = client.chat.completions.create(model="sonnet", messages=messages)
    assert second.session_id == first.session_id


def models_are_listed() -> None:
    models = {model.id: model for model in client.models.list()}
    assert {"claude-code", "sonnet", "opus", "haiku"} <= set(models)
    Model.model_validate(models["sonnet"].model_dump())
    assert client.models.retrieve("sonnet") == models["sonnet"]
    try:
        client.models.retrieve("gpt-5")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found"
    else:
        raise AssertionError("there is no such model")


def conversations_are_kept() -> None:
    made = client.conversations.create(metadata={"topic": "tests"})
    assert made.object == "conversation" and made.metadata == {"topic": "tests"}
    for text in ("one", "two"):
        answer = client.chat.completions.create(
            model="sonnet", messages=user(text), extra_body={"conversation_id": made.id}
        )
        assert answer.conversation_id == made.id
    assert client.conversations.retrieve(made.id).turns == 2


def a_full_gateway_is_asked_again() -> None:
    """Only where MAX_JOBS run: the SDK waits for as long as Retry-After asks."""
    patient = openai.OpenAI(max_retries=2)
    raw = patient.chat.completions.with_raw_response.create(model="sonnet", messages=user("hello"))
    assert raw.retries_taken == 1, raw.retries_taken
    assert raw.parse().choices[0].message.content == "You said: hello"


tell(globals(), "a_full_gateway_is_asked_again")
