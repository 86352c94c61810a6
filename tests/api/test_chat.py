"""POST /chat with the fake CLI: its output arrives unchanged, and the reported end is true."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.gateway import (
    AUTH,
    Gateway,
    Stream,
    eventually,
)

#: A session that a request continues.
WANTED = "f9645fec-cdad-4505-8f73-2b22a415a890"


def test_the_head_is_sent_before_the_cli_prints_anything(gateway: Gateway) -> None:
    stream = gateway.chat("silent")
    headers = stream.response.headers
    assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert [row["process_id"] for row in gateway.running()] == [stream.job_id]
    stream.close()


def test_each_line_is_an_event_and_done_is_the_last(gateway: Gateway) -> None:
    events = list(gateway.chat("system s1", "line {}", "result ok"))
    assert [event.name for event in events] == ["message"] * 3 + ["done"]
    assert events[1].data == b"{}"
    assert json.loads(events[0].data)["session_id"] == "s1"
    identities = [event.id for event in events[:-1]]
    assert len(set(identities)) == 3
    assert all(identities)


def test_done_reports_a_success_with_fields_of_the_result(gateway: Gateway) -> None:
    stream = gateway.chat("system s1", "result ok")
    assert stream.done() == {
        "process_id": stream.job_id,
        "status": "succeeded",
        "exit_code": 0,
        "signal": None,
        "session_id": "session-of-result",
        "is_error": False,
        "total_cost_usd": 0.25,
        "duration_ms": 7,
        "reason": None,
    }


@pytest.mark.parametrize(
    ("verbs", "expected"),
    [
        (["line x"], {"exit_code": 0, "is_error": None}),
        (["result error"], {"exit_code": 0, "is_error": True}),
        (["result ok", "exit 3"], {"exit_code": 3, "is_error": False}),
        (["complain oh no", "exit 1"], {"exit_code": 1, "stderr": "oh no\n"}),
        (["die 9"], {"exit_code": None, "signal": "SIGKILL"}),
        (["result ok", "result error"], {"is_error": True}),
        (["system s2", "exit 1"], {"session_id": "s2"}),
    ],
)
def test_a_failure_is_never_reported_as_success(
    gateway: Gateway, verbs: list[str], expected: dict[str, object]
) -> None:
    done = gateway.chat(*verbs).done()
    assert done["status"] == "failed"
    assert {key: done[key] for key in expected} == expected


def test_only_the_last_4_kib_of_standard_error_are_reported(gateway: Gateway) -> None:
    done = gateway.chat(f"complain {'a' * 5000}", "complain the end", "exit 1").done()
    assert len(done["stderr"]) == 4096
    assert done["stderr"].endswith("a\nthe end\n")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe not UTF-8 \x80\n",
        "line\u2028separator\u2029\x85\n".encode(),
        b"nul \0 inside\n",
        b'{"deep": [[[[1]]]]}\n',
        b"no newline at the end",
        b"  leading space\n",
        b": like a comment\n",
        b"data: like a field\n",
        b"\xef\xbb\xbfbyte order mark\n",
    ],
)
def test_bytes_come_back_untouched(gateway: Gateway, content: bytes) -> None:
    assert gateway.chat(f"raw {content.hex()}").messages() == [content.removesuffix(b"\n")]


def test_a_raw_carriage_return_begins_a_second_data_line(gateway: Gateway) -> None:
    content = b"one\rtwo"
    assert gateway.chat(f"raw {content.hex()}").messages() == [b"one\ntwo"]


def test_blank_lines_are_skipped(gateway: Gateway) -> None:
    assert gateway.chat("raw 0a0a610a0a0a620a0a").messages() == [b"a", b"b"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=3000).filter(lambda content: b"\r" not in content))
def test_any_output_comes_back_line_by_line(gateway: Gateway, content: bytes) -> None:
    messages = gateway.chat(f"raw {content.hex()}").messages()
    assert messages == [line for line in content.split(b"\n") if line]


def test_a_line_of_100_mb_passes_in_bounded_memory(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    size = 100_000_000
    gateway.chat("line warm").done()
    before = _memory(gateway)
    stream = gateway.chat(f"big {size}", "result ok")
    received = sum(len(chunk) for chunk in stream.response.raw.stream(1 << 20))
    assert received > size
    assert _memory(gateway) - before < 20_000_000


def test_many_lines_come_in_order_and_none_is_lost(gateway: Gateway) -> None:
    messages = gateway.chat("lines 200000").messages()
    assert messages == [b"line %d" % number for number in range(200_000)]


def test_silence_is_filled_with_comments(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(HEARTBEAT="0.05")
    flag = gateway.folder / "flag"
    stream = gateway.chat("line first", f"await {flag}", "line second")
    while (event := stream.next()).name == ":":
        # The CLI takes its time to start.
        assert event.data == b"ping"
    assert event.data == b"first"
    for _ in range(3):
        assert stream.next() == (":", b"ping", None)
    flag.touch()
    assert stream.messages() == [b"second"]


def test_a_slow_reader_loses_nothing_and_the_job_does_not_wait_for_it(gateway: Gateway) -> None:
    stream = gateway.chat("lines 300000", "result ok")
    stream.next()
    eventually(lambda: stream.job_id not in [row["process_id"] for row in gateway.running()])
    assert len(stream.messages()) == 300_000


def test_a_large_prompt_reaches_the_cli_whole(gateway: Gateway) -> None:
    text = "x" * 5_000_000
    done = gateway.chat(f"ignored {text}", "result ok").done()
    assert done["status"] == "succeeded"


def test_standard_error_on_disk_is_capped(gateway: Gateway) -> None:
    flag = gateway.folder / "capped"
    flag.unlink(missing_ok=True)
    stream = gateway.chat(f"complain {'a' * 2_000_000}", f"await {flag}", "exit 1")
    errors = gateway.state / "runs" / stream.job_id / "stderr"
    eventually(lambda: errors.exists() and 0 < errors.stat().st_size <= 1 << 20)
    flag.touch()
    assert stream.done()["stderr"].endswith("aaa\n")


def test_processes_lists_a_job_while_it_runs(gateway: Gateway) -> None:
    flag = gateway.folder / "listed"
    flag.unlink(missing_ok=True)
    stream = gateway.chat("system s7", f"await {flag}", session_id=WANTED, model="opus")
    stream.next()
    (row,) = gateway.running()
    assert row == {
        "process_id": stream.job_id,
        "cwd": str(gateway.project),
        "model": "opus",
        "started_at": row["started_at"],
        "session_id": "s7",
        "user": "admin",
        "status": "running",
        "queue_position": None,
        "backend": "cli",
        "title": "system s7",
    }
    assert row["started_at"].endswith("Z")
    assert abs(time.time() - _seconds(row["started_at"])) < 60
    flag.touch()
    stream.done()
    assert gateway.ask("GET", "/processes").json() == {"processes": [], "count": 0}


def test_the_session_asked_for_is_listed_until_the_cli_names_its_own(gateway: Gateway) -> None:
    stream = gateway.chat("silent", session_id=WANTED)
    assert gateway.running()[0]["session_id"] == WANTED
    stream.close()


def test_any_worker_lists_and_cancels_any_job(gateway: Gateway) -> None:
    streams = [gateway.chat("silent") for _ in range(8)]
    wanted = {stream.job_id for stream in streams}
    for _ in range(8):
        assert {row["process_id"] for row in gateway.running()} == wanted
    for stream in streams:
        assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
        assert stream.done()["status"] == "cancelled"


def _memory(gateway: Gateway) -> int:
    total = 0
    for pid in gateway.workers():
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total += sum(int(line.split()[1]) << 10 for line in lines if "Private" in line)
    return total


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_a_stream_is_followed_by_the_next_request_on_its_connection(gateway: Gateway) -> None:
    with requests.Session() as session:
        for _ in range(3):
            body = {"prompt": "result ok", "cwd": str(gateway.project)}
            response = session.post(
                gateway.url + "/chat",
                json=body,
                auth=AUTH,
                stream=True,
            )
            assert Stream(response).done()["status"] == "succeeded"


def test_a_job_is_known_by_its_title(gateway: Gateway) -> None:
    secret = "a title of words that stand nowhere else"  # noqa: S105 - no password
    titled = gateway.chat("arguments", "silent", title=secret)
    arguments = titled.next().data.decode()
    # It prints nothing: what begins with a space is no verb.
    plain = gateway.chat("  system s1", "silent")
    rows = {row["process_id"]: row["title"] for row in gateway.running()}
    assert rows == {titled.job_id: secret, plain.job_id: "system s1"}
    for path in (f"/jobs/{titled.job_id}", "/jobs?limit=500"):
        answer = gateway.ask("GET", path).json()
        assert secret in [row["title"] for row in answer.get("jobs", [answer])]
    # It may hold what the prompt does.
    assert secret not in arguments
    assert secret not in gateway.log()
    assert secret not in gateway.ask("GET", "/metrics").text
    assert gateway.post("x", title="x" * 201).status_code == 422
    long = gateway.chat("line " + "y" * 1000, title=" ")
    long.done()
    record = gateway.ask("GET", f"/jobs/{long.job_id}").json()
    assert record["title"] == ("line " + "y" * 1000)[:200]


def test_the_title_of_a_completion_is_its_last_question(gateway: Gateway) -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "result ok\nmore"},
    ]
    answer = gateway.ask("POST", "/v1/chat/completions", json={"messages": messages})
    record = gateway.ask("GET", f"/jobs/{answer.headers['X-Process-ID']}").json()
    assert record["title"] == "result ok"


def test_two_streams_on_one_worker_do_not_disturb_each_other(gateway: Gateway) -> None:
    streams = [gateway.chat("lines 20000", "result ok") for _ in range(6)]
    for stream in streams:
        assert len(stream.messages()) == 20_001
