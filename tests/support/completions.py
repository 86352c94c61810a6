"""A client of the OpenAI API's chat completions for tests."""

import json
from typing import Any

import requests

from tests.support.gateway import Gateway

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
ANSWER = 'line {"type":"result","subtype":"success","is_error":false,"result":"done"}'
BEGIN = (
    'line {"type":"stream_event","parent_tool_use_id":null,"event":{"type":"message_start",'
    '"message":{"id":"m"}}}'
)
DELTA = (
    'line {"type":"stream_event","parent_tool_use_id":null,"event":{"type":"content_block_delta",'
    '"delta":{"type":"text_delta","text":"héllo \u2028"}}}'
)


def ask(gateway: Gateway, *verbs: str, **named: Any) -> requests.Response:
    """A completion; `headers` and `auth` are the request's, what else is named its body's."""
    request = {key: named.pop(key) for key in ("headers", "auth", "stream_body") if key in named}
    stream = request.pop("stream_body", False)
    messages = named.pop("messages", [{"role": "user", "content": "\n".join(verbs)}])
    body = {"messages": messages, **named}
    return gateway.ask("POST", "/v1/chat/completions", json=body, stream=stream, **request)


def received(gateway: Gateway, *before: str, **named: Any) -> dict[str, Any]:
    """What the fake CLI was given: argv, cwd, and the files that argv names."""
    answer = ask(gateway, *before, "arguments", ANSWER, **named)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "done"
    lines = map(json.loads, gateway.resume(answer.headers["X-Process-ID"]).messages())
    found: dict[str, Any] = next(line for line in lines if "argv" in line)
    return found


def refused(answer: requests.Response) -> tuple[int, str, str | None]:
    """Status, code and param of an error, which must have the shape."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status_code, error["code"], error["param"]


def events(answer: requests.Response) -> list[Any]:
    """The data of a stream's events, parsed but for [DONE]."""
    found = [line[6:] for line in answer.content.split(b"\n") if line.startswith(b"data: ")]
    return [data.decode() if data == b"[DONE]" else json.loads(data) for data in found]
