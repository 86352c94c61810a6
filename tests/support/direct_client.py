"""Requests for a model that the direct backend serves, and the records of their jobs."""

import json
from typing import Any

import requests

from tests.support import completions, responses
from tests.support.anthropic_messages import create
from tests.support.direct_api import Server
from tests.support.gateway import Gateway, eventually

MODEL = "claude-haiku-4-5"


def settings_for(upstream: Server) -> dict[str, str]:
    """The settings of a gateway with a direct backend."""
    return {
        "ANTHROPIC_BASE_URL": upstream.url,
        "ANTHROPIC_API_KEY": "a-dummy-key",
        "DIRECT_MODELS": "claude-haiku-*,claude-sonnet-*",
        "SPARES": "0",
    }


def ask(gateway: Gateway, text: str, **named: Any) -> requests.Response:
    """The answer to a message."""
    return create(gateway, text, **{"model": MODEL, **named})


def complete(gateway: Gateway, *messages: Any, **named: Any) -> requests.Response:
    """The answer to a completion; a text is a user's message."""
    said = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
    return completions.ask(gateway, **{"model": MODEL, "messages": said, **named})


def respond(gateway: Gateway, given: Any, **named: Any) -> requests.Response:
    """The answer to `POST /v1/responses` with this input."""
    return responses.respond(gateway, **{"model": MODEL, "input": given, **named})


def sent(upstream: Server) -> dict[str, Any]:
    """The body that reached the model's API last."""
    body: dict[str, Any] = json.loads(upstream.received[-1].body)
    return body


def body_of(text: str, stream: bool) -> dict[str, Any]:
    """The body of a request for a message."""
    messages = [{"role": "user", "content": text}]
    return {"model": MODEL, "max_tokens": 5, "stream": stream, "messages": messages}


def begin(gateway: Gateway, text: str) -> requests.Response:
    """A stream whose body is not read yet."""
    session = requests.Session()
    session.trust_env = False
    return session.post(
        f"{gateway.url}/v1/messages",
        json=body_of(text, stream=True),
        auth=gateway.auth,
        stream=True,
        timeout=20,
    )


def raw_request(gateway: Gateway, text: str, stream: bool, path: str = "/v1/messages") -> bytes:
    """The bytes of a request."""
    body = json.dumps(body_of(text, stream)).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {gateway.authorization}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def record_of(gateway: Gateway, job: str) -> dict[str, Any]:
    """A job's record."""
    record: dict[str, Any] = gateway.ask("GET", f"/jobs/{job}").json()
    return record


def eventually_running(gateway: Gateway) -> list[dict[str, Any]]:
    """The rows of the jobs that run, once there are some."""
    return eventually(gateway.running)
