"""What the body of a chat completion may have."""

import json
from typing import Any

import pytest

from app.conversation.errors import BadParameter
from app.openai.chat_body import read_completion


@pytest.mark.parametrize(
    "more",
    [
        {"n": 2},
        {"logprobs": True},
        {"functions": [{"name": "f"}]},
        {"modalities": ["text", "audio"]},
        {"audio": {}},
    ],
)
def test_what_the_cli_cannot_do_is_refused_by_name(more: dict[str, Any]) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "x"}], **more})
    with pytest.raises(BadParameter) as refused:
        read_completion(body.encode())
    assert [refused.value.param] == list(more)


def test_what_asks_for_nothing_passes_and_what_is_ignored_is_reported() -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "n": 1, "tools": [], "seed": 3}
    asked = read_completion(json.dumps({**body, "logprobs": False, "user": None}).encode())
    assert asked.ignored_parameters() == ["seed"]
