"""The examples of request bodies in the OpenAPI document work as they stand."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.anthropic.message_body import CountRequest, MessageRequest
from app.anthropic.message_body import read_request as read_message_request
from app.api.answer_body import read_answer
from app.api.message_body import read_message
from app.cli.control_requests import control_request
from app.cli.request_fields import read_request
from app.openai.chat_body import read_completion
from app.openapi.document import make_document
from app.responses.request_body import read_fields as read_response
from tests.support.described import application
from tests.support.gateway import Gateway

#: What reads the JSON of a path. The other bodies are sent to a gateway.
READERS: dict[str, Callable[[bytes], object]] = {
    "/chat": read_request,
    "/jobs/{process_id}/messages": read_message,
    "/jobs/{process_id}/control": lambda body: control_request(json.loads(body), ()),
    "/jobs/{process_id}/questions/{question_id}": read_answer,
    "/v1/chat/completions": read_completion,
    "/v1/responses": lambda body: read_response(json.loads(body)),
    "/v1/messages": partial(read_message_request, MessageRequest),
    "/v1/messages/count_tokens": partial(read_message_request, CountRequest),
}
BODIES = {
    path: operation["requestBody"]["content"]
    for path, methods in make_document(application())["paths"].items()
    for operation in methods.values()
    if "requestBody" in operation
}


def examples(path: str) -> list[dict[str, Any]]:
    """The JSON examples of a path."""
    named = BODIES[path]["application/json"].get("examples", {})
    return [example["value"] for example in named.values()]


@pytest.mark.parametrize("path", BODIES)
def test_each_body_has_an_example(path: str) -> None:
    assert examples(path)
    assert all(
        "example" in media for kind, media in BODIES[path].items() if kind != "application/json"
    )


@pytest.mark.parametrize("path", READERS)
def test_an_example_is_accepted(path: str) -> None:
    for example in examples(path):
        READERS[path](json.dumps(example).encode())
        assert Path(example.get("cwd", "/")).is_dir()


@pytest.mark.parametrize("path", sorted(set(BODIES) - set(READERS)))
def test_an_example_gets_an_answer(gateway: Gateway, path: str) -> None:
    for example in examples(path):
        assert gateway.ask("POST", path, json=example).status_code == 200


def test_a_prompt_as_text_works_with_the_example_of_its_fields(gateway: Gateway) -> None:
    (fields,) = (
        parameter["schema"]["examples"][0]
        for parameter in make_document(application())["paths"]["/chat"]["post"]["parameters"]
        if parameter["name"] == "fields"
    )
    answer = gateway.ask(
        "POST",
        "/chat",
        params=fields,
        data=BODIES["/chat"]["text/plain"]["example"],
        headers={"Content-Type": "text/plain"},
    )
    assert answer.status_code == 200
    assert "event: done" in answer.text
