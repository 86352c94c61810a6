"""What goes wrong between a client, the direct backend and the model's API."""

import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from app.state.lock import locked
from tests.support.anthropic_messages import events, refused, texts
from tests.support.direct_api import Server
from tests.support.direct_client import (
    MODEL,
    ask,
    begin,
    eventually_running,
    raw_request,
    record_of,
    settings_for,
)
from tests.support.gateway import Gateway, eventually
from tests.support.gone_client import gone_at_the_end


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "kind", "answered", "named"),
    [
        (400, "invalid_request_error", 400, "invalid_request_error"),
        (401, "authentication_error", 424, "api_error"),
        (403, "permission_error", 424, "api_error"),
        (404, "not_found_error", 404, "not_found_error"),
        (413, "request_too_large", 413, "request_too_large"),
        (429, "rate_limit_error", 429, "rate_limit_error"),
        (500, "api_error", 503, "api_error"),
        (503, "api_error", 503, "overloaded_error"),
        (529, "overloaded_error", 529, "overloaded_error"),
    ],
)
def test_a_refusal_has_its_status_and_words(
    direct: Gateway, status: int, kind: str, answered: int, named: str, stream: bool
) -> None:
    answer = ask(direct, f"fail {status} {kind} 7 In the words of the API", stream=stream)
    assert refused(answer) == (answered, named, "In the words of the API")
    assert answer.headers["Retry-After"] == "7"
    may_retry = answered in (429, 503, 529)
    assert ("X-Should-Retry" not in answer.headers) == may_retry
    record = record_of(direct, answer.headers["X-Process-ID"])
    assert (record["status"], record["reason"]) == ("failed", "api_error")
    assert record["error"] == "In the words of the API"


def test_an_error_before_the_answer_has_a_status(direct: Gateway) -> None:
    answer = ask(direct, "error-first overloaded_error Overloaded", stream=True)
    assert refused(answer) == (529, "overloaded_error", "Overloaded")


def test_an_error_within_an_answer_is_passed_on(direct: Gateway) -> None:
    answer = ask(direct, "error-late overloaded_error Overloaded", stream=True)
    found = events(answer)
    assert texts(found) == "Héllo"
    assert found[-1] == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
    }
    assert [event["type"] for event in found].count("error") == 1
    record = record_of(direct, answer.headers["X-Process-ID"])
    assert (record["status"], record["error"]) == ("failed", "Overloaded")
    # What the answer cost until then.
    assert record["usage"]["input_tokens"] == 1000 and record["total_cost_usd"] > 0


@pytest.mark.parametrize("stream", [True, False])
def test_a_connection_that_closes_at_once_is_a_503(direct: Gateway, stream: bool) -> None:
    answer = ask(direct, "drop", stream=stream)
    status, kind, message = refused(answer)
    assert (status, kind) == (503, "api_error")
    assert "127.0.0.1" in message and "key" not in message


def test_a_stream_that_breaks_off_ends_with_an_error(direct: Gateway) -> None:
    answer = ask(direct, "drop-late", stream=True)
    found = events(answer)
    assert texts(found) == "Héllo"
    assert found[-1]["type"] == "error" and "broken off" in found[-1]["error"]["message"]
    assert record_of(direct, answer.headers["X-Process-ID"])["status"] == "failed"


def test_pings_fill_a_silence(upstream: Server, gateway_with: Callable[..., Gateway]) -> None:
    gateway = gateway_with(**settings_for(upstream), HEARTBEAT="0.1")
    flag = gateway.folder / "pinged"
    with begin(gateway, f"await {flag}") as answer:
        lines = []
        for line in answer.iter_lines():
            lines.append(line)
            if lines.count(b"event: ping") == 2:
                flag.touch()
    assert lines[-3] == b"event: message_stop"
    said = [json.loads(line[6:]) for line in lines if line.startswith(b"data: ")]
    assert texts(said) == "Héllo"


@pytest.mark.parametrize("text", ["hang", "hang-late", "tokens 1000000 0.01"])
def test_a_cancelled_job_ends_at_every_worker(direct: Gateway, upstream: Server, text: str) -> None:
    with begin(direct, text) if text != "hang" else BegunInThread(direct) as answer:
        (row,) = eventually_running(direct)
        job = row["process_id"]
        assert row["model"] == MODEL and row["status"] == "running"
        assert (row["backend"], row["cwd"]) == ("direct", "")
        cancelled = direct.ask("DELETE", f"/chat/{job}")
        assert cancelled.status_code == 200 and cancelled.json()["killed"] == 0
        assert record_of(direct, job)["status"] == "cancelled"
        if answer is not None:
            assert b"cancelled" in answer.content
    eventually(lambda: upstream.hanging == 0)
    assert direct.running() == []
    # The gateway's workers live.
    assert ask(direct, "say hi").status_code == 200


class BegunInThread:
    """A request that has no head yet."""

    def __init__(self, gateway: Gateway) -> None:
        self._thread = threading.Thread(target=lambda: begin(gateway, "hang").content)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_cancels_its_job(
    direct: Gateway, upstream: Server, stream: bool
) -> None:
    text = "hang-late" if stream else "hang"
    with socket.create_connection(("127.0.0.1", direct.port)) as client:
        client.sendall(raw_request(direct, text, stream))
        (row,) = eventually_running(direct)
        eventually(lambda: upstream.hanging == 1)
    job = row["process_id"]
    eventually(lambda: record_of(direct, job)["status"] == "cancelled")
    eventually(lambda: upstream.hanging == 0)
    eventually(lambda: f"job {job} is cancelled: its client went away" in direct.log())


def test_an_interrupt_cancels(direct: Gateway) -> None:
    with begin(direct, "hang-late") as answer:
        job = answer.headers["X-Process-ID"]
        # A reader of the job gets its end.
        reader = direct.resume(job)
        assert direct.ask("POST", f"/jobs/{job}/interrupt").status_code == 202
        assert reader.done()["status"] == "cancelled"
        assert b'"code":"cancelled"' in answer.content


def test_a_job_whose_folder_is_removed_ends(direct: Gateway, upstream: Server) -> None:
    with begin(direct, "hang-late") as answer:
        eventually(lambda: upstream.hanging == 1)
        shutil.rmtree(direct.state / "jobs" / answer.headers["X-Process-ID"])
        assert b'"code":"cancelled"' in answer.content
    eventually(lambda: upstream.hanging == 0)
    assert direct.running() == []


def test_a_job_has_a_time_limit(direct: Gateway, upstream: Server) -> None:
    # The stream has begun by then.
    for text, stream, limit in (("hang", False, 0.3), ("hang-late", True, 3)):
        answer = ask(direct, text, stream=stream, claude={"timeout": limit})
        record = record_of(direct, answer.headers["X-Process-ID"])
        assert (record["status"], record["reason"]) == ("timed_out", "timeout")
        if stream:
            assert events(answer)[-1]["error"]["code"] == "timeout"
        else:
            assert refused(answer)[0] == 424
    eventually(lambda: upstream.hanging == 0)


def test_a_worker_that_dies_loses_its_jobs(
    upstream: Server, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(**settings_for(upstream), DIRECT_MAX="1")
    with begin(gateway, "hang-late") as answer:
        job = answer.headers["X-Process-ID"]
        gateway.kill_workers(*gateway.workers())
    # Another worker may be closing it.
    eventually(lambda: record_of(gateway, job)["status"] == "lost")
    assert gateway.running() == []
    # Its slot is free.
    assert ask(gateway, "say hi").status_code == 200


@pytest.mark.parametrize("how", ["stop", "reload"])
def test_a_gateway_that_stops_ends_its_jobs(
    upstream: Server, start_gateway: Callable[..., Gateway], how: str
) -> None:
    gateway = start_gateway(**settings_for(upstream))
    with begin(gateway, "hang-late") as answer:
        job = answer.headers["X-Process-ID"]
        if how == "stop":
            assert gateway.process is not None
            gateway.process.send_signal(signal.SIGTERM)
        else:
            gateway.reload()
        rest = answer.content
    assert b'"code":"job_lost"' in rest
    if how == "stop":
        assert gateway.process.wait(20) == 0
    eventually(lambda: gateway.record(job, "ended")["status"] == "lost")


def test_there_is_a_limit_over_all_workers(
    upstream: Server, gateway_with: Callable[..., Gateway]
) -> None:
    gateway = gateway_with(**settings_for(upstream), DIRECT_MAX="2", MAX_JOBS="1")
    first, second = begin(gateway, "hang-late"), begin(gateway, "hang-late")
    try:
        answer = ask(gateway, "say hi")
        assert refused(answer)[:2] == (429, "rate_limit_error")
        assert answer.headers["Retry-After"] == "5"
        # They take none of the CLI's slots.
        assert gateway.chat("result ok").done()["status"] == "succeeded"
        # Nor does a launcher that is new count them.
        os.kill(gateway.launcher(), signal.SIGKILL)
        eventually(lambda: gateway.post("result ok").status_code == 200)
    finally:
        first.close()
        second.close()
    eventually(lambda: ask(gateway, "say hi").status_code == 200)


def test_without_a_key_nothing_is_sent(
    upstream: Server, gateway_with: Callable[..., Gateway]
) -> None:
    before = len(upstream.received)
    for key in ("", "sk-ant-oat01-a-token-of-an-account"):
        gateway = gateway_with(**{**settings_for(upstream), "ANTHROPIC_API_KEY": key})
        status, _, message = refused(ask(gateway, "say hi"))
        assert status == 424 and "ANTHROPIC_API_KEY" in message
        assert "sk-ant" not in message
    assert len(upstream.received) == before


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_the_job_of_a_client_that_is_gone_at_the_first_byte_is_cancelled(
    upstream: Server, gateway_with: Callable[..., Gateway], path: str, stream: bool
) -> None:
    gateway = gateway_with(**settings_for(upstream), HEAD_DELAY="0", WORKERS="1")
    begin(gateway, "say hi").close()
    slots, (worker,) = gateway.state / "direct", gateway.workers()
    # The worker closes a folder some time after it has used it.
    eventually(lambda: not list(slots.iterdir()) and slots not in opened_by(worker))
    before = set((gateway.state / "jobs").iterdir())
    body = {"model": MODEL, "max_tokens": 5, "stream": stream, "input": "hang"}
    if path != "/v1/responses":
        body["messages"] = [{"role": "user", "content": body.pop("input")}]
    # The view waits for the lock, after the request was read.
    with locked(slots), gone_at_the_end(gateway, path, body):
        eventually(lambda: slots in opened_by(worker))
    eventually(lambda: set((gateway.state / "jobs").iterdir()) - before)
    (job,) = set((gateway.state / "jobs").iterdir()) - before
    ended = gateway.ask("GET", f"/jobs/{job.name}?wait=20").json()
    assert ended["status"] == "cancelled", ended
    eventually(lambda: not list(slots.iterdir()) and not upstream.hanging)


def opened_by(pid: int) -> set[Path]:
    """The files that a process has open."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - the names alone
        with suppress(FileNotFoundError):
            found.add(Path(f"/proc/{pid}/fd/{name}").readlink())
    return found
