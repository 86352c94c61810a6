"""What the body of a request for a message may have, and what becomes of its messages."""

import json
from typing import Any

import pytest

from app.anthropic.message_body import MessageRequest, read_request
from app.conversation.digests import digests_of
from app.conversation.messages import BlockPart, Message, TextPart

EPHEMERAL = {"cache_control": {"type": "ephemeral"}}


def read(*messages: dict[str, Any], **named: Any) -> MessageRequest:
    """The request with these messages."""
    body = {"model": "sonnet", "max_tokens": 5, "messages": messages, **named}
    return read_request(MessageRequest, json.dumps(body).encode())


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    """A message of the user."""
    return {"role": "user", "content": list(blocks)}


def text(said: str) -> dict[str, Any]:
    """A block with a text."""
    return {"type": "text", "text": said}


def test_null_asks_for_nothing() -> None:
    names = (
        *("system", "tools", "tool_choice", "stream", "stop_sequences", "thinking"),
        *("output_config", "mcp_servers", "claude", "temperature", "metadata"),
    )
    asked = read(user(text("x")), **dict.fromkeys(names))
    assert asked.ignored_parameters() == []
    assert asked.client_tools().offered() == []
    assert asked.answer_schema() is None


def test_empty_lists_ask_for_nothing() -> None:
    asked = read(user(text("x")), system=[], tools=[], stop_sequences=[], mcp_servers=[])
    assert [message.role for message in asked.conversation()] == ["user"]


def test_results_are_messages_of_their_own_before_the_users_words() -> None:
    parts = [{**text("down"), **EPHEMERAL}, {"type": "tool_reference", "tool_name": "weather"}]
    result = {"type": "tool_result", "tool_use_id": "a", "content": parts, "is_error": True}
    call = {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Oslo"}}
    found = read(
        user(text("x")), {"role": "assistant", "content": [call]}, user(text("and?"), result)
    ).conversation()
    assert [message.role for message in found] == ["user", "assistant", "tool", "user"]
    assert found[1].tool_calls[0].id == found[2].call_id == "a"
    assert found[2].is_error
    said = [TextPart("down"), TextPart("The tool weather can be called.")]
    assert found[2].parts == said
    assert found[3] == Message("user", [TextPart("and?")], None, [])


def test_blocks_pass_without_what_is_for_the_cache() -> None:
    source = {"type": "content", "content": [{**text("page"), **EPHEMERAL}]}
    block = {"type": "document", "source": source, "citations": {"enabled": True}, **EPHEMERAL}
    (message,) = read(user(block)).conversation()
    (part,) = message.parts
    assert isinstance(part, BlockPart)
    assert part.block == {
        "type": "document",
        "source": {"type": "content", "content": [text("page")]},
        "citations": {"enabled": True},
    }


def test_what_the_model_thought_is_not_compared() -> None:
    """Some clients do not send it back."""
    thought = {"type": "thinking", "thinking": "Well.", "signature": "x"}
    with_thought, without = (
        read(user(text("x")), {"role": "assistant", "content": content}, user(text("y")))
        for content in ([thought, text("I ca"), text("ll")], "I call")
    )
    assert digests_of("", with_thought.conversation()) == digests_of("", without.conversation())


def test_an_error_is_compared() -> None:
    result = {"type": "tool_result", "tool_use_id": "a", "content": "x"}
    fine, failed = (read(user({**result, "is_error": e})).conversation() for e in (False, True))
    assert digests_of("", fine) != digests_of("", failed)


@pytest.mark.parametrize(
    ("thinking", "tokens"),
    [
        (None, 0),
        ({"type": "disabled"}, 0),
        ({"type": "adaptive"}, None),
        ({"type": "enabled", "budget_tokens": 2000}, 2000),
    ],
)
def test_the_model_thinks_where_a_request_asks_for_it(thinking: Any, tokens: int | None) -> None:
    assert read(user(text("x")), thinking=thinking).thinking_tokens() == tokens


def test_odd_blocks_that_were_answered_pass() -> None:
    odd = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    asked = read(
        user({"type": "container_upload", "file_id": "f"}),
        {"role": "assistant", "content": [odd, text("Found.")]},
        user(text("and?")),
    )
    first, second, _ = asked.conversation()
    assert first.parts == [TextPart("[A block of the type container_upload was here.]")]
    assert second.parts == [BlockPart(odd), TextPart("Found.")]


def test_tools_that_find_tools_are_not_needed() -> None:
    finder = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    tool = {"name": "a", "input_schema": {"type": "object"}, "defer_loading": True}
    assert read(user(text("x")), tools=[finder, tool]).client_tools().names() == {"a"}
