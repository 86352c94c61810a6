"""Answers of the model's API that are cut off, malformed, hostile, or never end."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.anthropic_messages import events, refused, texts
from tests.support.direct_client import (
    MODEL,
    ask,
    complete,
    eventually_running,
    raw_request,
    record_of,
)
from tests.support.gateway import Gateway, eventually, running_gateway
from tests.support.raw_api import STREAM_HEAD, RawApi, chunk, event, raw_api, whole
from tests.support.responses import events as response_events

KEY = "sk-ant-api03-the-operators"
START = event("message_start", message={"model": MODEL, "usage": {"input_tokens": 1000}})
TEXT = event("content_block_start", index=0, content_block={"type": "text", "text": "hi"})
STOP = event("message_stop")
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def raw() -> Iterator[RawApi]:
    """A server that answers with any bytes."""
    with raw_api() as server:
        yield server


@pytest.fixture(scope="module")
def served(
    raw: RawApi, fake_claude: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that asks it."""
    settings = {
        "ANTHROPIC_BASE_URL": raw.url,
        "ANTHROPIC_API_KEY": KEY,
        "DIRECT_MODELS": "claude-*",
        "SPARES": "0",
    }
    with running_gateway(tmp_path_factory.mktemp("served"), fake_claude, **settings) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def nothing_is_left(raw: RawApi, served: Gateway) -> Iterator[None]:
    """No test leaves a slot or a connection to the server."""
    raw.hangs = False
    yield
    eventually(lambda: raw.open == 0)
    eventually(lambda: served.running() == [])
    # Released after the end is written.
    eventually(lambda: not [*(served.state / "direct").iterdir()])


def record_after(gateway: Gateway, answer: Any) -> dict[str, Any]:
    """The record of an answer's job, which has ended."""
    record = record_of(gateway, answer.headers["X-Process-ID"])
    assert record["status"] != "running"
    return record


def stream(*pieces: bytes) -> list[bytes]:
    """A stream of these pieces that ends."""
    return [STREAM_HEAD, *map(chunk, pieces), b"0\r\n\r\n"]


def test_an_answer_is_over_at_its_end_although_its_connection_is_not(
    raw: RawApi, served: Gateway
) -> None:
    raw.answer = [STREAM_HEAD, chunk(START + TEXT + STOP)]
    raw.hangs = True
    assert texts(events(ask(served, "x", stream=True))) == ""
    assert complete(served, "x").json()["choices"][0]["message"]["content"] == ""
    assert complete(served, "x", stream=True).text.endswith("data: [DONE]\n\n")
    body = {"model": MODEL, "input": "x", "stream": True}
    answer = served.ask("POST", "/v1/responses", json=body)
    assert response_events(answer)[-1]["type"] == "response.completed"
    assert record_after(served, answer)["status"] == "succeeded"


@pytest.mark.parametrize(
    "pieces",
    [
        [START + TEXT, event("error", error={"type": "api_error", "message": "No"}) + STOP],
        [START + TEXT, event("error", error="No") + STOP],
        [START + TEXT + STOP[:20]],
        [START + TEXT, b"data: message_stop\n\n"],
        [],
    ],
)
def test_a_stream_that_has_not_its_end_has_failed(
    raw: RawApi, served: Gateway, pieces: list[bytes]
) -> None:
    raw.answer = stream(*pieces)
    answer = ask(served, "x", stream=True)
    assert record_after(served, answer)["status"] == "failed"
    assert answer.status_code == (200 if pieces else 503)
    answer = complete(served, "x", stream=True)
    assert record_after(served, answer)["status"] == "failed"
    assert "[DONE]" not in answer.text


def test_a_chunk_that_is_cut_off_is_a_failure(raw: RawApi, served: Gateway) -> None:
    raw.answer = [STREAM_HEAD, chunk(START), b"FFF\r\nevent: message_stop\n"]
    answer = ask(served, "x", stream=True)
    assert "broken off" in events(answer)[-1]["error"]["message"]
    assert record_after(served, answer)["status"] == "failed"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Busy"}}', 529),
        (b'{"type":"error"}', 503),
        (b"{}", 503),
        (b"[]", 503),
        (b'{"content":', 503),
        (b"[" * 100_000, 503),
    ],
)
def test_a_message_that_is_none_is_a_failure(
    raw: RawApi, served: Gateway, body: bytes, status: int
) -> None:
    raw.answer = [whole(200, body, JSON)]
    answer = ask(served, "x")
    assert refused(answer)[0] == status
    assert record_after(served, answer)["status"] == "failed"


@pytest.mark.parametrize(
    "answer",
    [
        whole(429, b"x" * 200_000, "Retry-After: 7"),
        whole(429, b"{", "Retry-After: 7", length=1000),
        whole(429, b"\xff\0", "Retry-After: 7", "Content-Encoding: gzip"),
    ],
)
def test_a_refusal_whose_body_is_of_no_use_keeps_its_status(
    raw: RawApi, served: Gateway, answer: bytes
) -> None:
    raw.answer = [answer]
    for named in ({"stream": True}, {"path": "/v1/messages/count_tokens"}):
        response = ask(served, "x", **named)
        assert refused(response)[:2] == (429, "rate_limit_error")
        assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    "answer",
    [
        [whole(401, json.dumps({"error": {"message": f"bad key {KEY}"}}).encode())],
        [whole(200, json.dumps({"type": "error", "error": {"message": KEY}}).encode(), JSON)],
        stream(event("error", error={"type": "api_error", "message": KEY})),
        stream(START, TEXT, event("error", error={"type": "api_error", "message": KEY})),
        stream(
            START + TEXT, event("error", error={"message": KEY})[:-9], KEY.encode()[-5:] + b"\n\n"
        ),
        [b"HTTP/1.1 200 " + KEY.encode() + b"\r\nContent-Type: " + KEY.encode() + b"\r\n\r\n"],
        [KEY.encode() + b"\r\n\r\n"],
    ],
)
def test_no_answer_repeats_the_operators_key(
    raw: RawApi, served: Gateway, answer: list[bytes]
) -> None:
    raw.answer = answer
    for asked in (
        ask(served, "x", stream=True),
        ask(served, "x"),
        ask(served, "x", path="/v1/messages/count_tokens"),
        complete(served, "x", stream=True),
    ):
        assert KEY not in asked.text
        if job := asked.headers.get("X-Process-ID"):
            record = served.ask("GET", f"/jobs/{job}")
            assert record.json()["status"] == "failed"
            assert KEY not in record.text and KEY not in served.ask("GET", f"/chat/{job}").text
    assert KEY not in served.ask("GET", "/stats").text and KEY not in served.log()


@pytest.mark.parametrize(
    "usage",
    [
        {"server_tool_use": {"web_search_requests": 10**400}},
        {
            "cache_creation_input_tokens": 10**400,
            "cache_creation": {"ephemeral_1h_input_tokens": 9},
        },
        {"input_tokens": float("nan"), "iterations": [float("inf")]},
        {"service_tier": "x" * 5_000_000},
        {str(number): number for number in range(10_000)},
        ["input_tokens"],
    ],
)
def test_a_count_that_makes_no_sense_spoils_no_record(
    raw: RawApi, served: Gateway, usage: Any
) -> None:
    delta = event("message_delta", delta={"stop_reason": "x" * 1_000_000}, usage=usage)
    late = event("message_delta", delta={}, usage={"cache_read_input_tokens": 2000})
    raw.answer = stream(START + TEXT + delta + late + STOP)
    answer = ask(served, "x", stream=True)
    text = served.ask("GET", f"/jobs/{answer.headers['X-Process-ID']}").text
    assert len(text) < 20_000
    # Strictly: no number that JSON does not have.
    record = json.loads(text, parse_constant=pytest.fail)
    assert record["status"] == "succeeded" and record["result"] == "hi"
    assert record["usage"]["cache_read_input_tokens"] == 2000
    assert 0.001 < record["total_cost_usd"] < 1.1e6


@pytest.mark.parametrize("reason", ["max_tokens", "stop_sequence", "refusal", "end_turn"])
def test_the_record_has_the_reason_for_which_an_answer_ended(
    raw: RawApi, served: Gateway, reason: str
) -> None:
    delta = event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 5})
    raw.answer = stream(START + TEXT + delta + STOP)
    record = record_after(served, complete(served, "x"))
    assert record["status"] == "succeeded"
    assert record["reason"] == (None if reason == "end_turn" else reason)


def test_a_job_is_cancelled_while_its_connection_is_made(
    gateway_with: Callable[..., Gateway],
) -> None:
    with socket.socket() as listener, socket.socket() as waiting:
        listener.bind(("127.0.0.1", 0))
        # Its queue is full, so further connections get no answer.
        listener.listen(0)
        waiting.connect(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": KEY,
            "DIRECT_MODELS": "claude-*",
        }
        gateway = gateway_with(**settings, SPARES="0", DIRECT_MAX="1")
        for leaves in (False, True):
            with socket.create_connection(("127.0.0.1", gateway.port)) as client:
                client.sendall(raw_request(gateway, "x", stream=True))
                (row,) = eventually_running(gateway)
                job = row["process_id"]
                assert leaves or gateway.ask("DELETE", f"/chat/{job}").status_code == 200
            eventually(lambda job=job: record_of(gateway, job)["status"] == "cancelled")  # type: ignore[misc]
            # Another worker has read the end; after that, the slot is released.
            eventually(lambda: not [*(gateway.state / "direct").iterdir()])
