"""What ends a job: time, silence, output, age; and what prevents a start."""

import json
import os
import signal
from collections.abc import Callable

import pytest

from tests.support.gateway import Gateway, eventually, marked_in


def test_a_job_that_takes_too_long_is_ended_with_status_timed_out(gateway: Gateway) -> None:
    stream = gateway.chat("line a", "child deaf daemon", "silent", timeout=0.3)
    done = stream.done()
    assert (done["status"], done["reason"]) == ("timed_out", "timeout")
    assert not marked_in(gateway.state)


def test_a_silent_job_is_ended_and_one_that_prints_is_not(gateway: Gateway) -> None:
    done = gateway.chat("line a", "silent", idle_timeout=0.3).done()
    assert (done["status"], done["reason"]) == ("timed_out", "idle_timeout")
    # Longer than the limit altogether; the start of a CLI takes up to a few seconds, too.
    printing = gateway.chat("chatter 25 0.2", "result ok", idle_timeout=4)
    assert printing.done()["status"] == "succeeded"


def test_a_job_that_prints_too_much_is_ended_and_harms_no_other(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(MAX_JOB_OUTPUT="1000000")
    quiet = gateway.chat("line a", "silent")
    quiet.next()
    done = gateway.chat("lines 100000000").done()
    assert (done["status"], done["reason"]) == ("failed", "output_limit")
    assert len(gateway.running()) == 1


def test_limits_hold_with_the_gateway_down(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(JOB_TIMEOUT="2")
    stream = gateway.chat("line a", "silent")
    stream.next()
    assert gateway.process is not None
    for pid in (gateway.process.pid, *gateway.workers()):
        os.kill(pid, signal.SIGKILL)
    gateway.process.wait()
    ended = gateway.state / "jobs" / stream.job_id / "ended"
    eventually(ended.exists)
    assert json.loads(ended.read_bytes())["status"] == "timed_out"
    assert not marked_in(gateway.state)


@pytest.mark.parametrize("seconds", [0, -1, "x", 7200])
def test_a_request_can_only_lower_a_limit(gateway: Gateway, seconds: object) -> None:
    answer = gateway.post("result ok", timeout=seconds)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "timeout"]


def test_a_json_response_reports_a_timeout_by_its_code(gateway: Gateway) -> None:
    body = {"prompt": "silent", "cwd": str(gateway.project), "timeout": 0.2}
    answer = gateway.ask("POST", "/chat", json=body, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (424, "job_timed_out")
    answer = gateway.ask("POST", "/chat", json=body, headers={"Accept": "text/plain"})
    assert answer.status_code == 424
    assert answer.text == "The job took longer than its time limit (timeout)\n"


def test_no_job_starts_on_a_disk_that_is_nearly_full(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(MIN_FREE_DISK=str(1 << 50))
    answer = gateway.post("result ok")
    assert (answer.status_code, answer.json()["code"]) == (507, "insufficient_storage")
    assert not any((gateway.state / "jobs").iterdir())
