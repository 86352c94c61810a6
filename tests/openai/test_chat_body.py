"""What the body of a chat completion may have."""

import json
from typing import Any

import pytest

from app.conversation.errors import BadParameter
from app.conversation.messages import ImagePart
from app.errors import InvalidRequest
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


@pytest.mark.parametrize(
    ("stop", "stops"), [(None, []), ("", []), ([], []), ("x", ["x"]), (["x", "y"], ["x", "y"])]
)
def test_stop_is_a_text_or_a_list_or_nothing(stop: Any, stops: list[str]) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "stop": stop}
    assert read_completion(json.dumps(body).encode()).stop == stops


def neutral_parts(*content: dict[str, Any], answered: bool = False) -> list[Any]:
    """The parts of a user's message, which an answer may follow."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": [*content]}]
    if answered:
        messages += [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]
    completion = read_completion(json.dumps({"messages": messages}).encode())
    return [*completion.messages[0].neutral().parts]


def test_an_image_is_named_by_an_object_or_a_text() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
    text = {"type": "image_url", "image_url": "https://x.test/a.png"}
    assert neutral_parts(image) == neutral_parts(text) == [ImagePart("https://x.test/a.png")]


def test_a_document_is_a_data_url() -> None:
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:x"}}
    assert neutral_parts(file) == [ImagePart("data:x")]
    with pytest.raises(InvalidRequest):
        neutral_parts({"type": "file", "file": {"file_id": "file-1"}})


def test_what_the_model_cannot_read_may_have_been_answered_before() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    with pytest.raises(BadParameter) as refusal:
        neutral_parts(audio)
    assert refusal.value.param == "messages[0].content[0].type"
    (part,) = neutral_parts(audio, answered=True)
    assert "input_audio" in part.text


@pytest.mark.parametrize(("given", "limit"), [(-1, None), (5, 5), (None, None)])
def test_minus_one_is_no_limit(given: int | None, limit: int | None) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": given}
    assert read_completion(json.dumps(body).encode()).token_limit() == limit


@pytest.mark.parametrize("given", [0, -2, True, "5", 1.5])
def test_another_limit_is_refused(given: object) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": given}
    with pytest.raises(InvalidRequest) as refusal:
        read_completion(json.dumps(body).encode())
    assert refusal.value.detail[0]["loc"][:2] == ["body", "max_tokens"]  # type: ignore[index]
