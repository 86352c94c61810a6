"""Jobs that wait: for a flag, in the queue, or under a key."""

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from tests.support.gateway import Gateway, Stream, alive, eventually

#: Starts a gateway with these settings: the fixture `start_gateway`.
Start = Callable[..., Gateway]


def flag(gateway: Gateway, name: str) -> Path:
    return gateway.folder / name


def statuses(gateway: Gateway) -> list[tuple[str, int | None]]:
    return [(row["status"], row["queue_position"]) for row in gateway.running()]


def post(gateway: Gateway, key: str, prompt: str, **named: Any) -> requests.Response:
    """POST /chat with a key; the body is not read."""
    headers = {"Idempotency-Key": key, **named.pop("headers", {})}
    body = {"prompt": prompt, "cwd": str(gateway.project)}
    return gateway.ask("POST", "/chat", json=body, headers=headers, stream=True, **named)


def begin(gateway: Gateway, *verbs: str, **fields: object) -> Stream:
    """A job that runs: it has printed its first line."""
    stream = gateway.chat("line begun", *verbs, **fields)
    assert next(event.data for event in stream if event.name != ":") == b"begun"
    return stream


def kill_with_launcher(gateway: Gateway) -> None:
    """End the gateway with SIGKILL; its launcher, which ends by itself, writes nothing any more."""
    launcher = gateway.launcher()
    gateway.kill()
    eventually(lambda: not alive(launcher))


def remove_folder(gateway: Gateway, job_id: str) -> None:
    """Remove a job's folder; its supervisor writes nothing into it meanwhile."""
    away = gateway.state / f"removed-{job_id}"
    (gateway.state / "jobs" / job_id).rename(away)
    shutil.rmtree(away)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
