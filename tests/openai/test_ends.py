"""How an answer of the OpenAI API ends when the CLI, the gateway or a limit ends it."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.completions import ANSWER, BEGIN, DELTA, ask, events, refused
from tests.support.gateway import PATIENCE, Gateway, eventually, marked_in

# Ends


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("end", ["die 9", "die 11", "exit 0", "exit 1", "part 100"])
def test_no_failure_is_a_success(gateway: Gateway, end: str, stream: bool) -> None:
    # Only a CLI that ends with its job leaves a line without an end.
    options = {"keep_alive": 0} if end.startswith("part") else {}
    answer = ask(gateway, BEGIN, DELTA, end, stream=stream, claude=options)
    if not stream:
        assert refused(answer)[:2] == (424, "cli_failed")
        return
    *chunks, last = events(answer)
    assert "error" in last
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)


def test_a_job_that_is_lost_is_an_error(gateway: Gateway) -> None:
    answer = ask(gateway, BEGIN, DELTA, "silent", stream=True, stream_body=True)
    job = answer.headers["X-Process-ID"]
    os.kill(gateway.processes_of(job).supervisor.pid, signal.SIGKILL)
    assert events(answer)[-1]["error"]["code"] == "job_lost"


@pytest.mark.parametrize("stream", [False, True])
def test_a_limit_of_time_is_an_error(gateway: Gateway, stream: bool) -> None:
    # A stream has begun by then.
    limit = 3 if stream else 0.7
    answer = ask(gateway, BEGIN, DELTA, "silent", stream=stream, claude={"timeout": limit})
    error = events(answer)[-1]["error"] if stream else answer.json()["error"]
    assert error["code"] == "timeout"


def test_what_a_reload_interrupts_is_not_done_twice(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(ask(gateway, BEGIN, "silent")))
    thread.start()
    eventually(gateway.running)
    gateway.reload()
    thread.join(PATIENCE)
    (answer,) = answers
    assert refused(answer)[:2] == (424, "gateway_stops")
    # The job goes on.
    (job,) = gateway.running()
    gateway.ask("DELETE", f"/chat/{job['process_id']}")
    assert answer.headers.get("X-Should-Retry") == "false"


def test_a_stop_that_comes_in_pieces_ends_the_answer(gateway: Gateway) -> None:
    pieces = [DELTA.replace("h\u00e9llo \u2028", piece) for piece in ("one E", "N", "D two")]
    answer = ask(gateway, BEGIN, *pieces, "silent", stream=True, stop="END")
    *chunks, done = events(answer)
    assert done == "[DONE]"
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "one "
    assert chunks[-1]["choices"] == [] or chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_numbers_of_any_size_are_passed_on(gateway: Gateway) -> None:
    result = json.loads(ANSWER.removeprefix("line "))
    result["usage"] = {
        "input_tokens": 10**350,
        "output_tokens": -5,
        "cache_read_input_tokens": True,
    }
    answer = ask(gateway, "line " + json.dumps(result))
    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] == 0


def test_a_structured_answer_without_its_text_is_not_none(gateway: Gateway) -> None:
    result = {**json.loads(ANSWER.removeprefix("line ")), "structured_output": {"a": 1}}
    answer = ask(
        gateway,
        "line " + json.dumps({**result, "result": None}),
        response_format={"type": "json_object"},
    )
    assert json.loads(answer.json()["choices"][0]["message"]["content"]) == {"a": 1}


def test_a_deleted_completion_is_reported_in_one_piece_too(gateway: Gateway) -> None:
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(ask(gateway, BEGIN, DELTA, "silent")))
    thread.start()
    eventually(gateway.running)
    (job,) = gateway.running()
    assert gateway.ask("DELETE", f"/chat/{job['process_id']}").status_code == 200
    thread.join(PATIENCE)
    assert refused(answers[0])[:2] == (424, "cancelled")
    assert answers[0].headers["X-Should-Retry"] == "false"


@pytest.mark.parametrize("stream", [False, True])
def test_the_launchers_death_ends_no_completion(
    start_gateway: Callable[..., Gateway], tmp_path: Path, stream: bool
) -> None:
    gateway = start_gateway()
    answers: list[requests.Response] = []
    begun, go = tmp_path / "begun", tmp_path / "go"
    verbs = (BEGIN, DELTA, f"shell touch {begun}", f"await {go}", ANSWER)
    thread = threading.Thread(target=lambda: answers.append(ask(gateway, *verbs, stream=stream)))
    thread.start()
    eventually(begun.exists)
    os.kill(gateway.launcher(), signal.SIGKILL)
    go.touch()
    thread.join(PATIENCE)
    assert b'"finish_reason":"stop"' in answers[0].content.replace(b": ", b":")


@pytest.mark.alone
def test_two_hundred_streams_all_end(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(MAX_JOBS="20", QUEUE_SIZE="300", KEEP_ALIVE_CHAT="0")
    ends: list[Any] = []

    def one() -> None:
        answer = ask(gateway, BEGIN, DELTA, ANSWER, stream=True)
        ends.append(events(answer)[-1])

    threads = [threading.Thread(target=one) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ends == ["[DONE]"] * 200
    assert not marked_in(gateway.state)
