"""The modes of both chat APIs, with the real CLI."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support import anthropic_messages, model_api
from tests.support.completions import ask, events, received, refused
from tests.support.gateway import Gateway, running_gateway
from tests.support.real_cli import openai_settings
from tests.support.talk import await_turns

real = [pytest.mark.real, pytest.mark.timeout(120)]

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
TOOL = {"name": "weather", "input_schema": SCHEMA}


@pytest.fixture(autouse=True)
def nothing_held(request: pytest.FixtureRequest) -> Iterator[None]:
    """No run waits when a test begins."""
    yield
    if "face" in request.fixturenames:
        request.getfixturevalue("face").hang_up()


@pytest.fixture(scope="module")
def chosen(
    claude: Path, model: model_api.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway whose operator has chosen the modes."""
    settings = {**openai_settings(model), "CHAT_MODE": "model", "IGNORE_TOOLS": "true"}
    with running_gateway(tmp_path_factory.mktemp("chosen"), claude, **settings) as gateway:
        # A request waits for that, but not as long as the CLI may take where much else runs.
        await_turns(gateway)
        yield gateway
        gateway.hang_up()


def offered(model: model_api.Server) -> set[str]:
    """The names of the tools that the model had last."""
    return {tool["name"] for tool in model.asked[-1].get("tools", [])}


def request_to(face: Gateway, api: str, said: str, **named: Any) -> requests.Response:
    """A request to one of the APIs, with the tool of the client if `with_tool` is true."""
    with_tool = named.pop("with_tool", False)
    if api == "openai":
        return ask(face, said, **named, **({"tools": [FUNCTION]} if with_tool else {}))
    named = {**named, **({"tools": [TOOL]} if with_tool else {})}
    return anthropic_messages.create(face, said, **named)


def text_of(answer: requests.Response) -> str:
    """The text of an answer that is not streamed."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    if "choices" in body:
        return str(body["choices"][0]["message"]["content"])
    assert {block["type"] for block in body["content"]} == {"text"}
    return "".join(block["text"] for block in body["content"])


def calls_of(answer: requests.Response) -> list[str]:
    """The names of the tools that an answer that is not streamed calls."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    if "choices" in body:
        return [each["function"]["name"] for each in body["choices"][0]["message"]["tool_calls"]]
    return [block["name"] for block in body["content"] if block["type"] == "tool_use"]


class TestAgentMode:
    """Agent mode of `/v1/messages`, where it is not the default."""

    pytestmark = real

    def test_the_answer_is_the_agents_text_and_the_conversation_goes_on(
        self, face: Gateway
    ) -> None:
        question = {"role": "user", "content": "bash: echo done-by-bash"}
        answer = anthropic_messages.create(
            face, messages=[question], headers={"X-Claude-Mode": "agent"}
        )
        text = text_of(answer)
        assert "I run it." in text and "done-by-bash" in text
        message = answer.json()
        assert message["stop_reason"] == "end_turn" and message["usage"]["output_tokens"] > 0
        history = [question, {"role": "assistant", "content": message["content"]}]
        second = anthropic_messages.create(
            face,
            messages=[*history, {"role": "user", "content": "and now"}],
            claude={"mode": "agent"},
        )
        assert "and now" in text_of(second)
        assert second.headers["X-Session-ID"] == answer.headers["X-Session-ID"]

    def test_a_stream_has_no_call_of_the_clis_own_tools(self, face: Gateway) -> None:
        answer = anthropic_messages.create(
            face, "bash: echo done-by-bash", stream=True, claude={"mode": "agent"}
        )
        found = anthropic_messages.events(answer)
        kinds = [event["type"] for event in found if event["type"] != "content_block_delta"]
        assert kinds == [
            *("message_start", "content_block_start", "content_block_stop"),
            *("message_delta", "message_stop"),
        ]
        assert "done-by-bash" in anthropic_messages.texts(found)
        assert found[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
        assert found[-2]["usage"]["output_tokens"] > 0

    def test_an_agents_answer_ends_at_its_limits(self, face: Gateway) -> None:
        long = anthropic_messages.create(
            face, "one two three four", max_tokens=4, claude={"mode": "agent"}
        ).json()
        assert long["stop_reason"] == "max_tokens"
        stopped = anthropic_messages.create(
            face, "one END two", stop_sequences=["END"], claude={"mode": "agent"}
        ).json()
        assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "END")
        assert stopped["content"] == [{"type": "text", "text": "You said: one "}]


class TestModelMode:
    """Model mode, where it is not the default, or with tools of the CLI."""

    pytestmark = real

    def test_a_completion_can_be_the_models_alone(
        self, face: Gateway, model: model_api.Server
    ) -> None:
        assert text_of(ask(face, "hello", claude={"mode": "model"})) == "You said: hello"
        assert offered(model) == set()

    @pytest.mark.parametrize("api", ["openai", "anthropic"])
    def test_tools_of_the_cli_can_be_added_to_the_clients(
        self, face: Gateway, model: model_api.Server, api: str
    ) -> None:
        options = {"tools": ["Bash"]}
        own = request_to(face, api, "bash: echo by-bash", with_tool=True, claude=options)
        assert offered(model) == {"Bash", "weather"}
        assert "by-bash" in text_of(own)
        # The model's second message has the call of the client's tool.
        said = 'bash: echo \'call: weather {"city": "Oslo"}\''
        both = request_to(face, api, said, with_tool=True, claude=options)
        assert calls_of(both) == ["weather"]

    @pytest.mark.parametrize("api", ["openai", "anthropic"])
    def test_a_stream_with_both_kinds_of_tools_has_the_clients_call_alone(
        self, face: Gateway, api: str
    ) -> None:
        said = 'bash: echo \'call: weather {"city": "Oslo"}\''
        answer = request_to(
            face, api, said, with_tool=True, stream=True, claude={"tools": ["Bash"]}
        )
        if api == "openai":
            *chunks, done = events(answer)
            assert done == "[DONE]"
            deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
            calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
            names = [call["function"]["name"] for call in calls if "name" in call["function"]]
            text = "".join(call["function"]["arguments"] for call in calls)
        else:
            found = anthropic_messages.events(answer)
            blocks = [each["content_block"] for each in found if "content_block" in each]
            names = [block["name"] for block in blocks if block["type"] == "tool_use"]
            given = [each["delta"] for each in found if "delta" in each]
            text = "".join(delta.get("partial_json", "") for delta in given)
            assert given[-1]["stop_reason"] == "tool_use"
            numbers = [each["index"] for each in found if each["type"] == "content_block_start"]
            assert numbers == list(range(len(numbers)))
        assert names == ["weather"]
        assert json.loads(text) == {"city": "Oslo"}

    def test_a_search_of_the_web_is_a_tool_of_the_cli(
        self, face: Gateway, model: model_api.Server
    ) -> None:
        assert ask(face, "hello", tools=[FUNCTION], web_search_options={}).status_code == 200
        assert offered(model) == {"WebSearch", "weather"}


class TestOperatorsChoice:
    """CHAT_MODE and IGNORE_TOOLS."""

    pytestmark = real

    def test_a_completion_is_in_the_operators_mode(
        self, chosen: Gateway, model: model_api.Server
    ) -> None:
        assert ask(chosen, "hello").status_code == 200
        assert offered(model) == set()

    @pytest.mark.parametrize("api", ["openai", "anthropic"])
    def test_optional_tools_are_left_out_with_a_warning(
        self, chosen: Gateway, model: model_api.Server, api: str
    ) -> None:
        answer = request_to(chosen, api, "bash: echo by-bash", with_tool=True)
        assert "by-bash" in text_of(answer)
        assert answer.headers["X-Claude-Ignored"] == "tools"
        assert "weather" not in offered(model) and "Bash" in offered(model)

    def test_a_request_can_insist_on_its_tools(self, chosen: Gateway) -> None:
        said = 'call: weather {"city": "Oslo"}'
        answer = ask(chosen, said, tools=[FUNCTION], claude={"mode": "model"})
        assert calls_of(answer) == ["weather"]


class TestOldCli:
    """A CLI that cannot be offered tools of a client."""

    pytestmark = real

    @pytest.mark.parametrize("api", ["openai", "anthropic"])
    def test_model_mode_without_tools_needs_nothing_new(
        self, old_real: Gateway, model: model_api.Server, api: str
    ) -> None:
        named: dict[str, Any] = {"claude": {"mode": "model"}}
        assert text_of(request_to(old_real, api, "hello", **named)) == "You said: hello"
        assert offered(model) == set()
        said = [("user", "one"), ("assistant", "two"), ("user", "three")]
        named["messages"] = [{"role": role, "content": text} for role, text in said]
        assert "three" in text_of(request_to(old_real, api, "", **named))

    @pytest.mark.parametrize("api", ["openai", "anthropic"])
    def test_tools_of_a_client_are_refused(self, old_real: Gateway, api: str) -> None:
        answer = request_to(old_real, api, "hello", with_tool=True)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "field_not_supported"


def test_a_search_of_the_web_is_allowed_where_tools_are_listed(gateway: Gateway) -> None:
    listed = {"tools": ["Read"], "allowed_tools": ["Read"]}
    argv = received(gateway, web_search_options={}, claude=listed)["argv"]
    assert {"--tools=Read,WebSearch", "--allowed-tools=WebSearch"} <= set(argv)
    # Without a list, all is allowed.
    argv = received(gateway, web_search_options={"search_context_size": "low"})["argv"]
    assert "--dangerously-skip-permissions" in argv
    assert not [argument for argument in argv if "WebSearch" in argument]


@pytest.mark.parametrize(
    ("named", "param"),
    [
        ({"claude": {"mode": "both"}}, "claude.mode"),
        ({"claude": {"mode": "agent"}, "tools": [FUNCTION]}, "claude.mode"),
        ({"claude": {"tools": ["weather"]}, "tools": [FUNCTION]}, "claude.tools"),
        ({"claude": {"tools": ["default"]}, "tools": [FUNCTION]}, "claude.tools"),
        ({"claude": {"tools": "Bash"}, "tools": [FUNCTION]}, "claude.tools"),
        ({"claude": {"tools": [1]}, "tools": [FUNCTION]}, "claude.tools[0]"),
        ({"claude": {"cwd": "/"}, "tools": [FUNCTION]}, "cwd"),
        ({"claude": {"workspace": "a", "mode": "model"}}, "workspace"),
        ({"session_id": "a", "claude": {"mode": "model"}}, "session_id"),
        ({"claude": {"keep_alive": 5, "tools": ["Read"], "mode": "model"}}, "keep_alive"),
        ({"web_search_options": "yes"}, "web_search_options"),
    ],
)
def test_what_a_mode_does_not_have_is_refused(
    gateway: Gateway, named: dict[str, Any], param: str
) -> None:
    status, _, found = refused(ask(gateway, "hello", **named))
    assert (status, found) == (400, param)
