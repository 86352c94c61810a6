"""Cancelling with the fake CLI: after the response, no process of the job is alive."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.gateway import Gateway, Stream, alive, eventually, kill_all, marked_in
from tests.support.waiting import remove_folder


def test_delete_ends_a_job_and_its_stream_ends_with_done(gateway: Gateway) -> None:
    stream = gateway.chat("line before", "silent")
    assert stream.next().data == b"before"
    answer = gateway.ask("DELETE", f"/chat/{stream.job_id}")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "cancelled",
        "process_id": stream.job_id,
        "killed": 1,
        "signal": "SIGINT",
    }
    assert not marked_in(gateway.state)
    assert stream.done()["status"] == "cancelled"


def test_a_cli_that_answers_sigint_still_delivers_its_result(gateway: Gateway) -> None:
    stream = gateway.chat("polite", "line ready", "silent")
    stream.next()
    gateway.ask("DELETE", f"/chat/{stream.job_id}")
    event = stream.next()
    assert json.loads(event.data)["type"] == "result"
    done = stream.done()
    # It exited with 0 and a good result, but it was cancelled.
    assert (done["status"], done["exit_code"], done["is_error"]) == ("cancelled", 0, False)


@pytest.mark.parametrize(
    "kind", ["group", "session", "daemon", "session daemon", "deaf", "deaf session", "deaf daemon"]
)
def test_no_process_of_a_cancelled_job_is_left(gateway: Gateway, kind: str) -> None:
    stream = gateway.chat(f"child {kind}", "silent")
    child = json.loads(stream.next().data)["child"]
    assert alive(child)
    answer = gateway.ask("DELETE", f"/chat/{stream.job_id}").json()
    assert not alive(child)
    assert not marked_in(gateway.state)
    assert answer["killed"] == 2
    assert answer["signal"] == ("SIGKILL" if "deaf" in kind else "SIGTERM")


def test_a_cli_that_ignores_signals_is_killed_after_its_grace_period(
    gateway_with: Callable[..., Gateway],
) -> None:
    gateway = gateway_with(KILL_GRACE="2")
    stream = gateway.chat("deaf", "child deaf session", "silent")
    stream.next()
    started = time.monotonic()
    answer = gateway.ask("DELETE", f"/chat/{stream.job_id}").json()
    assert time.monotonic() - started < 15
    assert (answer["signal"], answer["killed"]) == ("SIGKILL", 2)
    assert not marked_in(gateway.state)
    done = stream.done()
    assert (done["status"], done["signal"]) == ("cancelled", "SIGKILL")


def test_a_disconnect_ends_a_silent_job_at_once(gateway: Gateway) -> None:
    stream = gateway.chat("child deaf daemon", "silent")
    child = json.loads(stream.next().data)["child"]
    started = time.monotonic()
    stream.close()
    # A process that is being killed loses its environment before it is gone.
    eventually(lambda: not marked_in(gateway.state) and not alive(child))
    eventually(lambda: not gateway.running())
    assert gateway.record(stream.job_id, "ended")["status"] == "cancelled"
    # Far less than the 15 s until the next ping.
    assert time.monotonic() - started < 12


def test_a_disconnect_ends_a_job_whose_output_is_not_read(gateway: Gateway) -> None:
    stream = gateway.chat("lines 2000000", "silent")
    eventually(lambda: (gateway.state / "jobs" / stream.job_id / "output").stat().st_size > 1e7)
    stream.close()
    eventually(lambda: not gateway.running())
    assert gateway.record(stream.job_id, "ended")["status"] == "cancelled"


def test_a_job_ends_with_its_cli_even_if_a_child_holds_its_output(gateway: Gateway) -> None:
    started = time.monotonic()
    stream = gateway.chat("heir", "child deaf session", "result ok")
    child = json.loads(stream.next().data)["child"]
    assert stream.done()["status"] == "succeeded"
    # Far less than the 1000 s for which the children live.
    assert time.monotonic() - started < 20
    assert not alive(child)
    assert not marked_in(gateway.state)


@pytest.mark.parametrize(
    "job_id",
    ["nonsense", "0b9f3d1c-5f0e-4f5e-9d3c-6c6d1b6f7a10", "%2e%2e", "%2e%2e%2flive", "a" * 300],
)
def test_an_unknown_job_is_not_found(gateway: Gateway, job_id: str) -> None:
    answer = gateway.ask("DELETE", f"/chat/{job_id}")
    assert answer.status_code == 404
    assert answer.json()["code"] in ("process_not_found", "not_found")


def test_an_ended_job_is_not_found(gateway: Gateway) -> None:
    stream = gateway.chat("result ok")
    stream.done()
    answer = gateway.ask("DELETE", f"/chat/{stream.job_id}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"Process not found: {stream.job_id}"


def test_cancelling_at_any_moment_of_a_start_leaves_nothing(gateway: Gateway) -> None:
    moments = random.Random(7)  # noqa: S311 - not a secret
    for _ in range(20):
        stream = gateway.chat("child daemon", "silent")
        time.sleep(moments.random() * 0.1)
        assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
        assert stream.done()["status"] == "cancelled"
        assert not marked_in(gateway.state)


def test_a_disconnect_at_any_moment_of_a_start_leaves_nothing(gateway: Gateway) -> None:
    moments = random.Random(8)  # noqa: S311 - not a secret
    for _ in range(20):
        stream = gateway.chat("child daemon", "silent")
        time.sleep(moments.random() * 0.05)
        stream.close()
    eventually(lambda: not gateway.running())
    eventually(lambda: not marked_in(gateway.state))


def test_a_job_whose_supervisor_is_killed_is_lost_and_its_processes_are_ended(
    gateway: Gateway,
) -> None:
    stream = gateway.chat("line before", "child deaf daemon", "silent")
    stream.next()
    child = json.loads(stream.next().data)["child"]
    os.kill(gateway.processes_of(stream.job_id).supervisor.pid, signal.SIGKILL)
    assert stream.done()["status"] == "lost"
    assert not alive(child)
    assert not marked_in(gateway.state)
    assert gateway.running() == []


def test_a_killed_launcher_is_replaced_and_running_jobs_do_not_notice(gateway: Gateway) -> None:
    flag = gateway.folder / "go"
    flag.unlink(missing_ok=True)
    stream = gateway.chat("line before", f"await {flag}", "line after", "result ok")
    stream.next()
    os.kill(gateway.launcher(), signal.SIGKILL)
    assert gateway.chat("result ok").done()["status"] == "succeeded"
    flag.touch()
    assert stream.messages()[0] == b"after"


def test_processes_that_fork_faster_than_they_are_found_are_ended(gateway: Gateway) -> None:
    stream = gateway.chat("hopper", "silent")
    stream.next()
    assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
    assert not marked_in(gateway.state)


def test_jobs_start_after_an_idle_supervisor_was_killed(gateway: Gateway) -> None:
    supervisors = set()
    for _ in range(3):
        job_id = gateway.chat("result ok").done()["process_id"]
        supervisors.add(gateway.processes_of(job_id).supervisor.pid)
    launcher = gateway.launcher()
    os.kill(launcher, signal.SIGSTOP)
    # One that has had enough jobs has exited.
    kill_all(*supervisors)
    os.kill(launcher, signal.SIGCONT)
    streams = [gateway.chat("line a", "silent") for _ in range(6)]
    for stream in streams:
        assert stream.next().data == b"a"


def test_a_signal_for_an_ended_job_does_not_end_the_next_job(gateway: Gateway) -> None:
    seen = []
    while True:
        stream = gateway.chat("line a", "silent")
        stream.next()
        supervisor = gateway.processes_of(stream.job_id).supervisor
        if supervisor in seen:
            break
        seen.append(supervisor)
        stream.close()
        eventually(lambda: not gateway.running())
    # This supervisor had another job before.
    os.kill(supervisor[0], signal.SIGTERM)
    os.kill(supervisor[0], signal.SIGTERM)
    assert len(gateway.running()) == 1
    assert gateway.ask("DELETE", f"/chat/{stream.job_id}").json()["status"] == "cancelled"


def test_a_job_folder_that_was_removed_by_hand_disturbs_no_other_job(gateway: Gateway) -> None:
    stream = gateway.chat("line a", "silent")
    stream.next()
    (gateway.state / "live" / str(uuid4())).touch()
    assert [row["process_id"] for row in gateway.running()] == [stream.job_id]
    assert len(list((gateway.state / "live").iterdir())) == 1


def test_descriptors_of_the_gateway_do_not_reach_the_cli(gateway: Gateway) -> None:
    (line,) = gateway.chat("descriptors").messages()
    assert set(json.loads(line)) == {"0", "1", "2"}


def test_many_jobs_leave_nothing_open(gateway: Gateway) -> None:
    def descriptors() -> int:
        pids = [*gateway.workers(), gateway.launcher()]
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)

    for _ in range(20):
        gateway.chat("result ok").done()
    before = descriptors()
    for _ in range(80):
        stream = gateway.chat("result ok")
        stream.done()
        stream.close()
    eventually(lambda: descriptors() <= before + 3, lambda: f"{before} became {descriptors()}")


def test_a_folder_that_is_removed_while_its_job_runs_ends_the_job(gateway: Gateway) -> None:
    stream = gateway.chat("line a", "silent")
    stream.next()
    marked = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    marked = [pid for pid in marked if _has(pid, stream)]
    assert marked
    remove_folder(gateway, stream.job_id)
    stream.close()
    eventually(lambda: not any(_has(pid, stream) for pid in marked))
    assert gateway.running() == []


def test_a_job_cannot_seal_its_own_output(gateway: Gateway) -> None:
    stream = gateway.chat("seal", "line a", "result ok")
    assert stream.messages()[0] == b"a"


@pytest.mark.parametrize("kind", ["unmarked", "unmarked daemon", "unmarked deaf session"])
def test_children_without_the_mark_of_a_job_are_ended_with_it(gateway: Gateway, kind: str) -> None:
    stream = gateway.chat(f"child {kind}", "silent")
    child = json.loads(stream.next().data)["child"]
    os.kill(gateway.processes_of(stream.job_id).supervisor.pid, signal.SIGKILL)
    assert stream.done()["status"] == "lost"
    eventually(lambda: not alive(child))


def test_a_job_whose_supervisor_is_stopped_can_be_cancelled(gateway: Gateway) -> None:
    stream = gateway.chat("line a", "silent")
    stream.next()
    os.kill(gateway.processes_of(stream.job_id).supervisor.pid, signal.SIGSTOP)
    assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200


def _has(pid: int, stream: Stream) -> bool:
    """Whether this process has the mark of this job."""
    try:
        return stream.job_id.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
