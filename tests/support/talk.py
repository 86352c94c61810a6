"""Jobs that are talked to while they run."""

import json
from typing import Any

import requests

from tests.support.gateway import Gateway, Stream, eventually

ASK = 'ask Bash {"command": "make"}'


def lines_of(stream: Stream) -> list[dict[str, Any]]:
    """The lines of a job that are JSON objects, to its end."""
    return [json.loads(data) for data in stream.messages() if data.startswith(b"{")]


def texts_of(stream: Stream) -> list[str]:
    """The lines of a job that are not JSON, to its end."""
    return [data.decode() for data in stream.messages() if not data.startswith(b"{")]


def asking(gateway: Gateway, *verbs: str, **fields: Any) -> tuple[Stream, dict[str, Any]]:
    """A job whose first deed is to ask, and the question."""
    stream = gateway.chat(*(verbs or (ASK,)), ask=True, **fields)
    return stream, question_of(gateway, stream.job_id)


def question_of(gateway: Gateway, job_id: str, **named: Any) -> dict[str, Any]:
    """The open question of a job, once there is one."""
    return eventually(lambda: questions_of(gateway, job_id, **named))[0]


def any_question_of(gateway: Gateway, job_id: str, **named: Any) -> dict[str, Any]:
    """The first question of a job, open or closed, once there is one."""
    return eventually(lambda: questions_of(gateway, job_id, "?all=true", **named))[0]


def questions_of(
    gateway: Gateway, job_id: str, query: str = "", **named: Any
) -> list[dict[str, Any]]:
    """The questions of a job; the open ones, unless the query asks for others."""
    answer = gateway.ask("GET", f"/jobs/{job_id}/questions{query}", **named)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["questions"]
    return found


def answered(
    gateway: Gateway, question: dict[str, Any], behavior: str = "allow", **fields: Any
) -> requests.Response:
    """The response to an answer."""
    path = f"/jobs/{question['process_id']}/questions/{question['question_id']}"
    return gateway.ask("POST", path, json={"behavior": behavior, **fields})


def send_message(gateway: Gateway, job_id: str, text: str) -> requests.Response:
    """The response to a message."""
    return gateway.ask("POST", f"/jobs/{job_id}/messages", json={"text": text})


def states_of(gateway: Gateway, job_id: str) -> list[str]:
    """What has become of each message that was sent to a job."""
    rows = gateway.ask("GET", f"/jobs/{job_id}").json()["messages"]
    return [row["state"] for row in rows]


def runs_of(gateway: Gateway, **named: Any) -> list[dict[str, Any]]:
    """The rows of GET /runs."""
    rows: list[dict[str, Any]] = gateway.ask("GET", "/runs", **named).json()["runs"]
    return rows


def await_turns(gateway: Gateway) -> None:
    """Wait until the gateway knows that its CLI stays for further turns."""
    eventually(lambda: "turns" in (gateway.ask("GET", "/health").json()["capabilities"] or []))
