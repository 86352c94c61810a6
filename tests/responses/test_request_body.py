"""The body of a request for a response: what is refused, and what the model gets of it."""

from typing import Any

import pytest

from app.conversation.errors import BadParameter
from app.conversation.messages import ImagePart, Message, TextPart
from app.errors import InvalidRequest
from app.openai.errors import parameter
from app.responses.input_items import to_messages
from app.responses.request_body import ResponseRequest, read_fields

CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
WEATHER = {"type": "function", "name": "weather"}


def messages_of(*items: Any, **named: Any) -> list[Message]:
    """The messages that items make."""
    request = read_fields({"input": list(items), **named})
    return to_messages(request.input, request.request_tools().offered_name)


def offered(choice: Any, *tools: Any) -> list[str]:
    """The names of the tools that the model gets."""
    request = read_fields({"input": "hi", "tools": list(tools), "tool_choice": choice})
    return [tool.name for tool in request.request_tools().offered.offered()]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"input": 5}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "input[0].content[0].type"),
        ({"input": "x", "stream": "yes"}, "stream"),
        ({"input": "x", "store": 1}, "store"),
        ({"input": "x", "max_output_tokens": 0}, "max_output_tokens"),
        ({"input": "x", "tools": {}}, "tools"),
        ({"input": "x", "tool_choice": 1}, "tool_choice"),
        ({"input": "x", "text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"input": "x", "reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"input": "x", "conversation": {}}, "conversation.id"),
        ({"input": "x", "claude": []}, "claude"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_fields(fields)
    assert parameter(caught.value.detail[0]["loc"]) == place


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"input": [{"content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "function_call", "call_id": "c"}]}, "input[0].name"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "item_reference"}]}, "input[0].id"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "input[0].content[0]",
        ),
        ({"input": [{**RESULT, "output": [{"type": "input_image"}]}]}, "input[0].output[0]"),
        ({"input": "x", "prompt": {"id": "p"}}, "prompt"),
    ],
)
def test_what_cannot_be_obeyed_is_named(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadParameter) as caught:
        read_fields(fields)
    assert caught.value.param == place


@pytest.mark.parametrize(
    ("tools", "choice", "place"),
    [
        ([{"type": "function"}], None, "tools[0].name"),
        ([{"type": "web_search"}, {"type": "function", "name": "a b"}], None, "tools[1].name"),
        (
            [{"type": "namespace", "name": "n", "tools": [WEATHER, {**WEATHER, "name": ""}]}],
            None,
            "tools[0].tools[1].name",
        ),
        ([WEATHER, WEATHER], None, "tools[1].name"),
        (
            [{**WEATHER, "parameters": {"properties": {"a": {"type": "odd"}}}}],
            None,
            "tools[0].parameters",
        ),
        ([WEATHER], {"type": "function", "name": "other"}, "tool_choice"),
        ([WEATHER], {"type": "function"}, "tool_choice.name"),
        ([WEATHER], {"type": "web_search"}, "tool_choice"),
        ([], "required", "tool_choice"),
    ],
)
def test_tools_that_cannot_be_offered_are_refused(tools: Any, choice: Any, place: str) -> None:
    with pytest.raises(BadParameter) as caught:
        offered(choice, *tools)
    assert caught.value.param == place


def test_a_choice_leaves_some_tools() -> None:
    other = {"type": "custom", "name": "other"}
    assert offered(None, WEATHER, other) == ["weather", "other"]
    assert offered("none", WEATHER, other) == []
    assert offered({"type": "custom", "name": "other"}, WEATHER, other) == ["other"]
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [WEATHER]}
    assert offered(allowed, WEATHER, other) == ["weather"]


def test_the_items_of_one_answer_are_one_message() -> None:
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "I ask."}]}
    found = messages_of(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        said,
        CALL,
        {**CALL, "call_id": "c2"},
        RESULT,
        {**RESULT, "call_id": "c2", "output": [{"type": "input_image", "image_url": "data:x"}]},
    )
    assert [message.role for message in found] == [
        *("developer", "user", "assistant", "tool", "tool")
    ]
    assert [call.id for call in found[2].tool_calls] == ["c1", "c2"]
    assert found[2].text() == "I ask."
    assert [message.call_id for message in found[3:]] == ["c1", "c2"]
    assert found[4].parts == [ImagePart("data:x")]


def test_a_call_has_the_name_by_which_its_tool_is_offered() -> None:
    tools = [
        WEATHER,
        {"type": "namespace", "name": "north", "tools": [WEATHER, {**WEATHER, "name": "wind"}]},
        {"type": "custom", "name": "shell"},
    ]
    items = [
        *(CALL, {**CALL, "namespace": "north"}, {**CALL, "namespace": "north", "name": "wind"}),
        {"type": "custom_tool_call", "call_id": "c2", "name": "shell", "input": "ls"},
    ]
    (message,) = messages_of(*items, tools=tools)
    names = [call.name for call in message.tool_calls]
    assert names == ["weather", "north__weather", "wind", "shell"]
    assert message.tool_calls[-1].arguments == '{"input": "ls"}'
    assert offered(None, *tools) == names


def test_what_was_answered_may_have_parts_that_cannot_be_read() -> None:
    audio = {"role": "user", "content": [{"type": "input_audio"}]}
    (heard, _, _) = messages_of(audio, {"role": "assistant", "content": "ok"}, {**audio, **USER})
    assert heard.parts == [TextPart("[A part of the type input_audio was here.]")]


USER = {"role": "user", "content": "and now?"}


def test_what_has_no_effect_is_named() -> None:
    request: ResponseRequest = read_fields(
        {
            "input": [{"type": "web_search_call", "id": "ws_1"}, USER],
            "tools": [{"type": "file_search"}, WEATHER],
            "temperature": 0.5,
            "top_p": None,
            "text": {"verbosity": "low"},
        }
    )
    assert request.ignored_parameters() == [
        *("temperature", "verbosity", "file_search", "web_search_call")
    ]
