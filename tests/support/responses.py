"""A client of the Responses API for tests."""

import json
from typing import Any

import requests

from tests.support.gateway import Gateway


def respond(gateway: Gateway, *said: str, **named: Any) -> requests.Response:
    """The answer to a request; `headers` and `auth` are the request's, what else is the body's."""
    request = {key: named.pop(key) for key in ("headers", "auth") if key in named}
    stream = named.pop("stream_body", False)
    body = {"model": "sonnet", "input": "\n".join(said), **named}
    return gateway.ask("POST", "/v1/responses", json=body, stream=stream, **request)


def response_of(answer: requests.Response) -> dict[str, Any]:
    """The response in an answer, which must be one."""
    assert answer.status_code == 200, answer.text
    if answer.headers["Content-Type"] == "application/json":
        found: dict[str, Any] = answer.json()
    else:
        found = events(answer)[-1]["response"]
    return found


def refused(answer: requests.Response) -> tuple[int, str, str | None]:
    """Status, code and param of an error, which must have the shape."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status_code, error["code"], error["param"]


def events(answer: requests.Response) -> list[dict[str, Any]]:
    """The events of a stream, whose names are their types, and whose numbers are in order."""
    assert answer.headers["Content-Type"].startswith("text/event-stream"), answer.text
    *frames, rest = answer.text.split("\n\n")
    assert rest == ""
    found = []
    for frame in frames:
        name, data = [line for line in frame.split("\n") if not line.startswith(":")]
        event: dict[str, Any] = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    first = found[0]["sequence_number"] if found else 0
    assert [each["sequence_number"] for each in found] == [first + n for n in range(len(found))]
    return found


def text_of(response: dict[str, Any]) -> str:
    """All text of a response."""
    return "".join(
        part["text"]
        for item in response["output"]
        if item["type"] == "message"
        for part in item["content"]
    )


def calls_of(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls in a response."""
    return [item for item in response["output"] if item["type"].endswith("_call")]
