"""Bodies of both chat APIs with random mistakes: each is a request, or an error for the client."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from app.anthropic.errors import error_body
from app.anthropic.message_body import MessageRequest, read_request
from app.anthropic.turn_request import to_turn_request as turn_of_message
from app.conversation.digests import digests_of
from app.conversation.images import Images
from app.conversation.messages import first_unanswered, image_urls, split_system_prompt
from app.conversation.model_messages import history_lines, model_messages
from app.conversation.turn_request import TurnRequest
from app.errors import GatewayError
from app.openai.chat_body import read_completion
from app.openai.errors import error_object
from app.openai.turn_request import to_turn_request as turn_of_completion

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"anyOf": [{"type": "null"}, {"enum": [1]}]}},
    "required": ["a", "b"],
    "additionalProperties": False,
    "$defs": {"a": {"type": "array", "items": {}}},
}
IMAGE = "iVBORw0KGgoAAAA"
CALL = {"id": "a", "type": "function", "function": {"name": "w", "arguments": "{}"}}
COMPLETION: dict[str, Any] = {
    "model": "sonnet",
    "messages": [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}},
            ],
        },
        {"role": "assistant", "content": "ok", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "a", "content": "r", "name": "w"},
        {"role": "user", "content": "go"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "w", "strict": True, "parameters": SCHEMA}}
    ],
    "tool_choice": {"type": "function", "function": {"name": "w"}},
    "stop": ["a"],
    "max_tokens": 5,
    "stream_options": {"include_usage": True},
    "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
    "metadata": {"session_id": "x"},
    "claude": {"timeout": 5, "effort": "low"},
}
SOURCE = {"type": "base64", "media_type": "image/png", "data": IMAGE}
RESULT = {
    "type": "tool_result",
    "tool_use_id": "a",
    "content": [{"type": "text", "text": "r"}, {"type": "image", "source": SOURCE}],
    "is_error": False,
}
MESSAGE: dict[str, Any] = {
    "model": "sonnet",
    "max_tokens": 5,
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [{"type": "image", "source": SOURCE}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "tool_use", "id": "a", "name": "w", "input": {"x": 1}},
            ],
        },
        {"role": "user", "content": [RESULT, {"type": "text", "text": "go"}]},
    ],
    "tools": [{"name": "w", "input_schema": SCHEMA, "strict": True}],
    "tool_choice": {"type": "tool", "name": "w", "disable_parallel_tool_use": True},
    "stop_sequences": ["a"],
    "thinking": {"type": "enabled", "budget_tokens": 5},
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    "claude": {"timeout": 5},
}
#: What is put in the place of something else.
VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, "", " ", "x", "\0", "\ud800", "x" * 300, [], {}, [[]], [{}]),
    *("user", "assistant", "tool", "system", "auto", "required", "data:image/png;base64,AAAA"),
    *({"type": "text"}, {"type": "text", "text": "x"}, {"type": "image"}, {"$ref": "#"}),
    *({"type": "tool_use", "id": "a", "name": "b", "input": {}}, {"url": "data:,"}),
    *({"type": "tool_result", "tool_use_id": "a"}, {"role": "tool", "content": "y"}, [1, None]),
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each list and object in a value, with each index or name in it."""
    if isinstance(value, dict | list):
        for at in value if isinstance(value, dict) else range(len(value)):
            yield value, at
            yield from places(value[at])


def with_mistakes(body: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A copy with one to three random changes."""
    changed = copy.deepcopy(body)
    for _ in range(chance.choice((1, 1, 2, 3))):
        found = list(places(changed))
        if not found:
            break
        parent, at = chance.choice(found)
        if chance.random() < 0.2:
            del parent[at]
        else:
            parent[at] = copy.deepcopy(chance.choice(VALUES))
    return changed


def prepare(turn: TurnRequest) -> None:
    """What becomes of a turn before its job is started."""
    messages = split_system_prompt(turn.messages).messages
    urls, answered = image_urls(messages), image_urls(messages[: first_unanswered(messages)])
    history, last = model_messages(messages, Images([]).load(urls, answered))
    assert history_lines(history).count(b"\n") == len(history)
    json.dumps(last, allow_nan=False)
    digests_of("", messages)
    if turn.tools is not None:
        turn.tools.definition()


@pytest.mark.parametrize("seed", range(3))
def test_a_body_with_mistakes_is_a_request_or_an_error_for_the_client(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same in each run
    prepared = 0
    for _ in range(500):
        completion, message = with_mistakes(COMPLETION, chance), with_mistakes(MESSAGE, chance)
        for body in (completion, message):
            data = json.dumps(body).encode()
            try:
                if body is completion:
                    read = read_completion(data)
                    turn = turn_of_completion(read, Headers(), options_in_prompts=True)
                else:
                    turn = turn_of_message(read_request(MessageRequest, data), Headers())
                prepare(turn)
            except GatewayError as error:
                assert 400 <= error.status < 500, data
                assert error_object(error)["message"] and error_body(error, "")["error"]
            except Exception as error:
                raise AssertionError(data) from error
            else:
                prepared += 1
    assert 100 < prepared < 900
