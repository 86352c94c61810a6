"""Streams of Anthropic's API with the fake CLI: signs of life, failures, clients that leave."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from tests.support.anthropic_messages import create, events, refused, texts
from tests.support.gateway import Gateway, eventually


def line(event: dict[str, Any]) -> str:
    """The verb for a line of the CLI with an event of the model's API."""
    fields = {"type": "stream_event", "parent_tool_use_id": None, "event": event}
    return f"line {json.dumps(fields)}"


BLOCK = {"type": "text", "text": ""}
DELTA = {"type": "text_delta", "text": "hé"}
MESSAGE = [
    line({"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {}}}),
    line({"type": "content_block_start", "index": 0, "content_block": BLOCK}),
    line({"type": "content_block_delta", "index": 0, "delta": DELTA}),
]
END = [
    line({"type": "content_block_stop", "index": 0}),
    line({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}),
    line({"type": "message_stop"}),
    'line {"type":"result","subtype":"success","is_error":false,"result":"hé"}',
]


def read_with_pings(gateway: Gateway, flag: Path, *said: str) -> list[dict[str, Any]]:
    """The events of a stream; the flag is set once two pings have come."""
    body = {"model": "sonnet", "max_tokens": 5, "stream": True}
    body["messages"] = [{"role": "user", "content": "\n".join(said)}]
    found = []
    with gateway.ask("POST", "/v1/messages", json=body, stream=True) as answer:
        for line_ in answer.iter_lines():
            if line_.startswith(b"data: "):
                found.append(json.loads(line_[6:]))
                if len(found) == 2:
                    flag.touch()
    return found


def test_a_silent_stream_has_pings(gateway_with: Callable[..., Gateway]) -> None:
    gateway = gateway_with(HEARTBEAT="0.2")
    flag = gateway.folder / "pinged"
    found = read_with_pings(gateway, flag, f"await {flag}", *MESSAGE, *END)
    kinds = [event["type"] for event in found]
    assert kinds[:2] == ["ping", "ping"]
    assert kinds[-1] == "message_stop" and kinds.count("message_start") == 1
    assert texts(found) == "hé"


def test_a_job_that_fails_late_is_an_event(gateway_with: Callable[..., Gateway]) -> None:
    gateway = gateway_with(HEARTBEAT="0.2")
    flag = gateway.folder / "pinged"
    silent = read_with_pings(gateway, flag, f"await {flag}", "exit 3")
    begun = events(create(gateway, *MESSAGE, "exit 3", stream=True))
    for found, first in ((silent, "ping"), (begun, "message_start")):
        assert found[0]["type"] == first
        assert set(found[-1]) == {"type", "error", "request_id"}
        assert found[-1]["error"]["code"] == "cli_failed"


def test_a_job_that_fails_at_once_has_a_status(gateway: Gateway) -> None:
    answer = create(gateway, "exit 3", stream=True)
    assert refused(answer)[:2] == (424, "api_error")
    assert answer.headers["X-Should-Retry"] == "false"
    assert answer.headers["X-Process-ID"]


def test_a_job_whose_client_leaves_is_cancelled(gateway: Gateway) -> None:
    body = {"model": "sonnet", "max_tokens": 5, "stream": True}
    body["messages"] = [{"role": "user", "content": "\n".join([*MESSAGE, "silent"])}]
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            f"{gateway.url}/v1/messages", json=body, auth=gateway.auth, stream=True, timeout=20
        )
        assert next(answer.iter_content(1))
        answer.close()
    job = answer.headers["X-Process-ID"]
    eventually(lambda: gateway.ask("GET", f"/jobs/{job}").json()["status"] == "cancelled")


def test_a_request_with_the_same_key_gets_the_same_message(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": "one-and-the-same"}
    first, second = (create(gateway, *MESSAGE, *END, headers=headers) for _ in range(2))
    assert first.headers["X-Process-ID"] == second.headers["X-Process-ID"]
    assert first.json() == second.json()
    assert first.json()["content"] == [{"type": "text", "text": "hé"}]
