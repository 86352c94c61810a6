"""Requests as chat clients send them, by their public source, with the real CLI.

Each has what is particular to its client: fields that are no one else's, nulls, odd parts.
"""

import base64
from typing import Any

import pytest

from tests.support import anthropic_messages, model_api
from tests.support.completions import ask, events
from tests.support.gateway import Gateway

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
PDF = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
QUESTION = 'call: weather {"city": "Oslo"}'


def weather(parameters: Any = CITY, **more: Any) -> dict[str, Any]:
    """A tool."""
    function = {"name": "weather", "description": "The weather", "parameters": parameters}
    return {"type": "function", "function": {**function, **more}}


def call(**more: Any) -> dict[str, Any]:
    """A call of the tool."""
    function = {"name": "weather", "arguments": '{"city":"Oslo"}'}
    return {"id": "call_a1", "type": "function", "function": function, **more}


def result(**more: Any) -> dict[str, Any]:
    """Its result."""
    return {"role": "tool", "tool_call_id": "call_a1", "content": "it rains", **more}


def user(*parts: Any) -> dict[str, Any]:
    """A message of the user: a text, or parts."""
    return {"role": "user", "content": parts[0] if isinstance(parts[0], str) else list(parts)}


def text(content: str, **more: Any) -> dict[str, Any]:
    """A part."""
    return {"type": "text", "text": content, **more}


def image(data: str = PNG, kind: str = "image/png", **more: Any) -> dict[str, Any]:
    """A part."""
    url = f"data:{kind};base64,{data}"
    return {"type": "image_url", "image_url": {"url": url, **more}}


SYSTEM = {"role": "system", "content": "Today is Thursday, 26 November 2026, 14:03:27. Be brief."}
ROUND = [SYSTEM, user("the weather?"), {"role": "assistant", "content": "", "tool_calls": [call()]}]
RESULT = "The tool said:"

#: A request, and the beginning of the answer; None is a call of the tool.
SHAPES: dict[str, tuple[dict[str, Any], str | None]] = {
    "Cline: a step": (
        {
            "messages": [SYSTEM, user(text(QUESTION), text("<environment_details>\n14:03"))],
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [weather(strict=False)],
            "tool_choice": "auto",
        },
        None,
    ),
    "Cline: after a call, without content": (
        {
            "messages": [
                SYSTEM,
                user(text("the weather?")),
                {"role": "assistant", "tool_calls": [call()]},
                result(),
                user(text("<environment_details>\n14:04")),
            ],
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [weather(strict=False)],
            "parallel_tool_calls": False,
        },
        RESULT,
    ),
    "Continue: nulls, and a space for an empty message": (
        {
            "messages": [
                SYSTEM,
                user("the weather?"),
                {"role": "assistant", "content": " ", "tool_calls": [call()]},
                result(),
            ],
            "max_tokens": 4096,
            "temperature": None,
            "top_p": None,
            "frequency_penalty": None,
            "stop": None,
            "prediction": None,
            "stream": True,
            "tools": [weather(strict=None)],
        },
        RESULT,
    ),
    "Continue: an image with a text of null": (
        {"messages": [user(text("hello"), image(detail="auto") | {"text": None})], "stream": True},
        "You said: ",
    ),
    "LibreChat: a title": (
        {
            "messages": [user("Write a title for this.\n\nUser: hi\n\nAI: hello")],
            "stream": False,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "top_p": 1,
            "user": "66f0c0ffee",
        },
        "You said: Write a title",
    ),
    "LibreChat: an agent's step": (
        {
            "messages": [*ROUND, result(name="weather")],
            "stream": True,
            "stream_options": {"include_usage": True},
            "user": "66f0c0ffee",
            "tools": [weather({**CITY, "$schema": "http://json-schema.org/draft-07/schema#"})],
        },
        RESULT,
    ),
    "Open WebUI: follow-up questions": (
        {
            "messages": [user("### Task:\nSuggest 3 follow-ups.\n<chat_history>\nUSER: hi\n")],
            "stream": False,
            "max_completion_tokens": 1000,
        },
        "You said: ### Task:",
    ),
    "Open WebUI: a tool without a type, a call with an index": (
        {
            "messages": [
                *ROUND[:2],
                {"role": "assistant", "content": "", "tool_calls": [call(index=0)]},
                result(),
            ],
            "stream": True,
            "tools": [weather({"properties": {"city": {"type": "string"}}, "required": []})],
        },
        RESULT,
    ),
    "Home Assistant: a call": (
        {
            "messages": [SYSTEM, user(QUESTION)],
            "tools": [weather(), {"type": "function", "function": {"name": "turn_on"}}],
            "user": "01JDHOME",
            "provider": {"require_parameters": True},
            "stream": True,
        },
        None,
    ),
    "Home Assistant: an answer of null, and a result as JSON": (
        {
            "messages": [
                *ROUND[:2],
                {"role": "assistant", "content": None, "tool_calls": [call()]},
                result(content='{"data": {"state": "rain"}, "error": false}'),
            ],
            "tools": [weather()],
            "user": "01JDHOME",
            "provider": {"require_parameters": True},
            "stream": True,
        },
        RESULT,
    ),
    "Home Assistant: a PDF as an image": (
        {"messages": [user(text("hello"), image(PDF, "application/pdf"))], "stream": True},
        "You said: hello",
    ),
    "n8n: an agent": (
        {
            "messages": [SYSTEM, user(QUESTION)],
            "n": 1,
            "top_p": 1,
            "stream": False,
            "max_tokens": -1,
            "tools": [
                weather(
                    {
                        **CITY,
                        "additionalProperties": False,
                        "$schema": "http://json-schema.org/draft-07/schema#",
                    }
                )
            ],
        },
        None,
    ),
    "Zed: a thread": (
        {
            "messages": [SYSTEM, user(text("hello"), image())],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_completion_tokens": 32000,
            "temperature": 1.0,
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "prompt_cache_key": "6a1c",
            "reasoning_effort": "medium",
            "tools": [
                weather(),
                {"type": "function", "function": {"name": "now", "parameters": None}},
            ],
        },
        "You said: hello",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_completion_is_answered(face: Gateway, name: str) -> None:
    body, said = SHAPES[name]
    answer = ask(face, model="sonnet", **body)
    assert answer.status_code == 200, answer.text
    if body["stream"]:
        *chunks, done = events(answer)
        assert done == "[DONE]"
        choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
        words = "".join(choice["delta"].get("content") or "" for choice in choices)
        reason = choices[-1]["finish_reason"]
    else:
        (choice,) = answer.json()["choices"]
        words, reason = choice["message"]["content"] or "", choice["finish_reason"]
    assert reason == ("tool_calls" if said is None else "stop")
    assert words.startswith(said or "I run it."), words


USES = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
RAIN = {"type": "tool_result", "tool_use_id": "toolu_1", "content": '{"state":"rain"}'}
CACHED = {"cache_control": {"type": "ephemeral"}}
TOOLS = {"tools": [{"name": "weather", "description": "", "input_schema": CITY}]}
MESSAGES: dict[str, dict[str, Any]] = {
    "Cline": {
        "system": [text("Be brief.", **CACHED)],
        "messages": [
            user(text("the weather?", **CACHED)),
            {"role": "assistant", "content": [USES]},
            user(RAIN, text("<environment_details>\n14:04", **CACHED)),
        ],
        "temperature": 0,
        **TOOLS,
    },
    "Home Assistant": {
        "system": [text("Be brief.", **CACHED), text("Now: 2026-11-26 14:03:27")],
        "messages": [
            user("the weather?"),
            {"role": "assistant", "content": [text("I look."), USES]},
            user({**RAIN, "is_error": False}),
        ],
        "max_tokens": 3000,
        "thinking": {"type": "disabled"},
        "temperature": 1.0,
        "metadata": None,
        **TOOLS,
    },
    "Zed": {
        "system": "Be brief.",
        "messages": [
            user(text("the weather?")),
            {"role": "assistant", "content": [USES]},
            user({**RAIN, "is_error": False, **CACHED}),
        ],
        "tool_choice": {"type": "auto"},
        "metadata": {"user_id": None},
        "stop_sequences": [],
        **TOOLS,
    },
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_answered(face: Gateway, model: model_api.Server, name: str) -> None:
    answer = anthropic_messages.create(face, stream=True, **MESSAGES[name])
    assert answer.status_code == 200, answer.text
    assert anthropic_messages.texts(anthropic_messages.events(answer)).startswith(RESULT)
    given = [block["type"] for m in model.asked[-1]["messages"] for block in m["content"]]
    assert [kind for kind in given if kind.startswith("tool")] == ["tool_use", "tool_result"]
