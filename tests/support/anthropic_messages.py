"""A client of Anthropic's API for tests."""

import json
from typing import Any

import requests

from tests.support.gateway import Gateway


def create(gateway: Gateway, *said: str, **named: Any) -> requests.Response:
    """The response to a request; `headers` are the request's, what else is named its body's."""
    headers = named.pop("headers", {})
    auth = named.pop("auth", gateway.auth)
    path = named.pop("path", "/v1/messages")
    body = {
        "model": "sonnet",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": "\n".join(said)}],
        **named,
    }
    body = {name: value for name, value in body.items() if value is not ...}
    return gateway.ask("POST", path, json=body, headers=headers, auth=auth)


def refused(answer: requests.Response) -> tuple[int, str, str]:
    """Status, type and message of an error, which must have the shape."""
    body = answer.json()
    assert set(body) == {"type", "error", "request_id"} and body["type"] == "error"
    assert set(body["error"]) == {"type", "message", "code"}
    assert answer.headers["request-id"] == body["request_id"]
    return answer.status_code, body["error"]["type"], body["error"]["message"]


def events(answer: requests.Response) -> list[dict[str, Any]]:
    """The events of a stream, whose names are their types."""
    assert answer.headers["Content-Type"].startswith("text/event-stream"), answer.text
    *frames, rest = answer.text.split("\n\n")
    assert rest == ""
    found = []
    for frame in frames:
        name, data = frame.split("\n")
        event: dict[str, Any] = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def texts(found: list[dict[str, Any]]) -> str:
    """The text in the events."""
    deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]
    return "".join(delta.get("text", "") for delta in deltas)
