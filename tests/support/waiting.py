"""Jobs that wait: for a flag, in the queue, or under a key."""

from pathlib import Path
from typing import Any

import requests

from tests.support.gateway import Gateway


def flag(gateway: Gateway, name: str) -> Path:
    return gateway.folder / name


def statuses(gateway: Gateway) -> list[tuple[str, int | None]]:
    return [(row["status"], row["queue_position"]) for row in gateway.running()]


def post(gateway: Gateway, key: str, prompt: str, **named: Any) -> requests.Response:
    """POST /chat with a key; the body is not read."""
    headers = {"Idempotency-Key": key, **named.pop("headers", {})}
    body = {"prompt": prompt, "cwd": str(gateway.project)}
    return gateway.ask("POST", "/chat", json=body, headers=headers, stream=True, **named)
