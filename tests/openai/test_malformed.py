"""Malformed completions: each is a 4xx in OpenAI's format that names the parameter."""

from typing import Any

from tests.support.completions import ask, refused
from tests.support.gateway import Gateway

USER = {"role": "user", "content": "hello"}
ASSISTANT = {"role": "assistant", "content": "hi"}
UUID = "7c0f9e0a-5d7f-4b7e-8a86-6f1d5b0f2a11"


def message(**fields: Any) -> dict[str, Any]:
    """A body with one message of the user, but for these fields."""
    found = {**USER, **fields}
    return {"messages": [{name: value for name, value in found.items() if value is not ...}]}


def each(*values: Any) -> tuple[Any, ...]:
    """Values of any types."""
    return values


def parts(*content: Any) -> dict[str, Any]:
    """A body with one message of these parts, or of what is no part."""
    return message(content=list(content))


def image(url: Any) -> dict[str, Any]:
    """A body with an image."""
    return parts({"type": "image_url", "image_url": url})


def function(**fields: Any) -> dict[str, Any]:
    """A tool whose function has these fields."""
    return {"type": "function", "function": fields}


def tools(*offered: Any, choice: Any = None) -> dict[str, Any]:
    """A body with tools, and the choice between them."""
    return {"tools": list(offered), **({"tool_choice": choice} if choice is not None else {})}


def calls(*found: Any) -> dict[str, Any]:
    """A body whose history has these calls."""
    return {"messages": [USER, {"role": "assistant", "tool_calls": list(found)}, USER]}


def form(**fields: Any) -> dict[str, Any]:
    """A body with a response format."""
    return {"response_format": fields}


WEATHER = function(name="weather", parameters={"type": "object"})
BAD_SCHEMA = {"type": "object", "properties": {"n": 5}}

# What is wrong, and the parameter that the error names.
WRONG: list[tuple[dict[str, Any], str]] = [
    # Messages
    *[({"messages": value}, "messages") for value in each(None, [], "hello", {}, 5, True)],
    *[({"messages": [value]}, "messages[0]") for value in each("hello", 5, None, [], True)],
    *[
        (message(role=role), "messages[0].role")
        for role in each(..., None, "", "USER", "model", "human", 5, [], {})
    ],
    *[(message(content=value), "messages[0].content") for value in each(5, {}, True, 1.5)],
    *[(message(content=value), "messages") for value in each(..., None, "", [], "  \n\t")],
    (message(name=5), "messages[0].name"),
    (message(name=["x"]), "messages[0].name"),
    (message(tool_call_id=5), "messages[0].tool_call_id"),
    *[(message(tool_calls=value), "messages[0].tool_calls") for value in each("x", 5, {}, True)],
    *[
        (message(tool_calls=[value]), "messages[0].tool_calls[0]")
        for value in each("x", 5, None, [])
    ],
    ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
    ({"messages": [{"role": "developer", "content": "x"}]}, "messages"),
    ({"messages": [USER, ASSISTANT, {"role": "user", "content": 5}]}, "messages[2].content"),
    ({"messages": [USER] * 10_001}, "messages"),
    # Parts
    *[(parts(value), "messages[0].content[0]") for value in each("hello", 5, None, [], True)],
    (parts({}), "messages[0].content[0].type"),
    (parts({"text": "x"}), "messages[0].content[0].type"),
    *[(parts({"type": value}), "messages[0].content[0].type") for value in each(5, None, [], {})],
    (parts({"type": "text"}), "messages[0].content[0].text"),
    *[
        (parts({"type": "text", "text": value}), "messages[0].content[0].text")
        for value in each(5, None, [], {"value": "x"})
    ],
    (parts({"type": "refusal"}), "messages[0].content[0].refusal"),
    *[
        (parts({"type": kind}), "messages[0].content[0].type")
        for kind in each("video_url", "input_text", "input_audio", "", "TEXT")
    ],
    (
        {"messages": [USER, ASSISTANT, *parts({"type": "x"})["messages"]]},
        "messages[2].content[0].type",
    ),
    (parts({"type": "image_url"}), "messages[0].content[0].image_url"),
    *[(image(value), "messages[0].content[0].image_url") for value in each(5, None, [], True)],
    (image({}), "messages[0].content[0].image_url.url"),
    *[
        (image({"url": value}), "messages[0].content[0].image_url.url")
        for value in each("", 5, None)
    ],
    *[
        (image(url), "messages")
        for url in each(
            *("x", "ftp://x.example/x.png", "data:", "data:image/png", "data:image/png;base64,"),
            *("data:image/png;base64,!!!!", "data:text/plain,hello", "file:///etc/passwd"),
            *("/etc/passwd", "http://127.0.0.1/x.png", "http://[::1]/x.png", "https://", "http:"),
            *("http://localhost:1/x", "http://0x7f000001/x", "data:image/svg+xml,<svg/>"),
        )
    ],
    (parts({"type": "file"}), "messages[0].content[0].file"),
    *[
        (parts({"type": "file", "file": v}), "messages[0].content[0].file")
        for v in each("x", 5, None)
    ],
    *[
        (parts({"type": "file", "file": value}), "messages[0].content[0].file.file_data")
        for value in each({}, {"file_id": "file-1"}, {"file_data": ""}, {"file_data": 5})
    ],
    (
        parts({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}),
        "messages",
    ),
    # The model
    *[({"model": value}, "model") for value in each(5, [], {}, True, "gpt-5", "x" * 1000, "a b")],
    # Switches and numbers
    *[({"stream": value}, "stream") for value in each("yes", "true", 1, [], {})],
    *[({"stream_options": value}, "stream_options") for value in each("x", 5, [], True)],
    *[
        ({"stream_options": {"include_usage": value}}, "stream_options.include_usage")
        for value in each("yes", 1, [])
    ],
    *[
        ({name: value}, name)
        for name in each("max_tokens", "max_completion_tokens")
        for value in each(0, -2, 1.5, "100", True, [], {})
    ],
    *[({"parallel_tool_calls": value}, "parallel_tool_calls") for value in each("no", 0, [])],
    *[({"stop": value}, "stop") for value in each(5, {}, True, ["x"] * 17)],
    *[({"stop": [value]}, "stop[0]") for value in each("", 5, None, [], "x" * 257)],
    # What the CLI cannot do
    *[({"n": value}, "n") for value in each(0, 2, "1", 1.5, [])],
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"functions": [{"name": "x"}]}, "functions"),
    ({"function_call": {"name": "x"}}, "function_call"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"audio": {"voice": "x", "format": "wav"}}, "audio"),
    ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
    # The response format
    *[({"response_format": value}, "response_format") for value in each("json", 5, [], True)],
    *[(form(type=value), "response_format.type") for value in each("xml", "", 5, None)],
    (form(), "response_format.type"),
    *[
        (form(type="json_schema", json_schema=v), "response_format.json_schema")
        for v in each("x", 5, [])
    ],
    *[
        (form(type="json_schema", json_schema=value), "response_format.json_schema.schema")
        for value in each(
            None, {}, {"name": "x"}, {"schema": None}, {"schema": "x"}, {"schema": [1]}
        )
    ],
    # Tools
    *[({"tools": value}, "tools") for value in each("x", {}, 5, True, [WEATHER] * 600)],
    *[(tools(value), "tools[0]") for value in each("x", 5, None, [])],
    *[
        (tools({"type": value, "function": {"name": "x"}}), "tools[0].type")
        for value in each("custom", None, 5)
    ],
    (tools({"function": {"name": "x"}}), "tools[0].type"),
    *[
        (tools({"type": "function", "function": v}), "tools[0].function")
        for v in each(None, "x", 5, [])
    ],
    (tools({"type": "function", "name": "x", "parameters": {}}), "tools[0].function"),
    (tools(function()), "tools[0].function.name"),
    *[(tools(function(name=value)), "tools[0].function.name") for value in each(None, 5, [], {})],
    *[
        (tools(function(name=value)), "tools[0].function.name")
        for value in each("", "é", "x" * 129, "a\n", "\0")
    ],
    (tools(WEATHER, WEATHER), "tools[1].function.name"),
    *[
        (tools(function(name="x", description=value)), "tools[0].function.description")
        for value in each(5, [], {})
    ],
    *[
        (tools(function(name="x", parameters=value)), "tools[0].function.parameters")
        for value in each(5, [], "{}", True)
    ],
    *[
        (
            tools(function(name="x", parameters={"properties": {value: {"type": "string"}}})),
            "tools[0].function.parameters",
        )
        for value in each("", "a b", "$filter", "stadt/ort", "städte", "x" * 65)
    ],
    *[
        ({"tools": [WEATHER], "tool_choice": v}, "tool_choice")
        for v in each("any", "", 5, [], {}, True)
    ],
    (tools(WEATHER, choice={"type": "function"}), "tool_choice"),
    (tools(WEATHER, choice={"type": "function", "function": {}}), "tool_choice"),
    (tools(WEATHER, choice={"type": "function", "function": {"name": "other"}}), "tool_choice"),
    (tools(WEATHER, choice={"type": "allowed_tools"}), "tool_choice"),
    (tools(choice="required"), "tool_choice"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, "tool_choice"),
    # Sessions and options
    *[({"metadata": value}, "metadata") for value in each("x", 5, [])],
    *[
        ({"metadata": {"session_id": v}}, "metadata.session_id")
        for v in each(5, "a b", "é", "x" * 300)
    ],
    *[
        ({name: v}, name)
        for name in each("session_id", "conversation_id")
        for v in each(5, [], "a\nb", "€")
    ],
    ({"session_id": "one", "conversation_id": "two"}, "session_id"),
    ({"conversation_id": UUID, "tools": []}, "session_id"),
    *[({"claude": value}, "claude") for value in each("x", 5, [], True)],
    ({"claude": {"no_such_option": 1}}, "claude.no_such_option"),
    ({"claude": {"prompt": "x"}}, "claude.prompt"),
    ({"claude": {"timeout": "soon"}}, "claude.timeout"),
    ({"claude": {"cwd": 5}}, "claude.cwd"),
    *[({"claude": {"workspace": value}}, "claude") for value in each("../x", " ", 5, "a/b")],
    *[
        ({"claude": {"cwd": value}}, "claude")
        for value in each("x", "/no/such/folder", "/etc/passwd")
    ],
    ({"claude": {"workspace": "x", "cwd": "/"}}, "claude.workspace"),
    ({"claude": {"system": "instead"}}, "claude.system"),
    ({"claude": {"events": "yes"}}, "claude.events"),
    ({"claude": {"allowed_tools": "Bash"}}, "claude.allowed_tools"),
    ({"claude": {"cwd": "/"}, "tools": []}, "cwd"),
    ({"claude": {"workspace": "x"}, "tools": []}, "workspace"),
    ({"claude": {"effort": "most"}}, "claude.effort"),
]


def test_a_malformed_completion_is_named_and_starts_nothing(gateway: Gateway) -> None:
    before = gateway.ask("GET", "/jobs").json()["jobs"]
    for body, param in WRONG:
        answer = ask(gateway, "hello", **body)
        where = f"{str(body)[:300]}: {answer.text[:300]}"
        assert answer.status_code in (400, 404), where
        assert "X-Process-ID" not in answer.headers, where
        named = refused(answer)[2]
        assert named is not None and (named + ".").startswith((param + ".", param + "[")), where
        message = answer.json()["error"]["message"]
        # No name of a class of this program.
        assert "instance of" not in message and len(message) > 20, where
    assert len(WRONG) > 200
    assert gateway.ask("GET", "/jobs").json()["jobs"] == before
