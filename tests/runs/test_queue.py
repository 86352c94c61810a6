"""The queue: how many jobs run at once, which wait for what, how slots are freed."""

import json
import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.gateway import Gateway, Stream, eventually, marked_in
from tests.support.waiting import flag, kill_with_launcher, statuses

Start = Callable[..., Gateway]
#: Sessions that requests continue.
ONE, OTHER = "f9645fec-cdad-4505-8f73-2b22a415a890", "54eb236b-b0ff-442a-9ae3-2e06374f0602"


def comments(stream: Stream) -> list[str]:
    """The comments before the first event."""
    found = []
    for event in stream:
        if event.name != ":":
            return found
        found.append(event.data.decode())
    raise AssertionError("the stream has no event")


def test_jobs_beyond_the_limit_wait_and_their_streams_report_their_places(
    gateway_with: Start,
) -> None:
    gateway = gateway_with(MAX_JOBS="1")
    first = gateway.chat("line a", f"await {flag(gateway, 'one')}", "result ok")
    first.next()
    second = gateway.chat("line b", f"await {flag(gateway, 'two')}", "result ok")
    third = gateway.chat("line c", "result ok")
    assert second.next().data == b"queued 1"
    assert third.next().data == b"queued 2"
    assert statuses(gateway) == [("running", None), ("queued", 1), ("queued", 2)]
    record = gateway.ask("GET", f"/jobs/{third.job_id}").json()
    assert (record["status"], record["queue_position"]) == ("queued", 2)
    waiting = gateway.ask("GET", "/jobs", params={"status": "queued"}).json()["jobs"]
    assert [row["process_id"] for row in waiting] == [third.job_id, second.job_id]
    flag(gateway, "one").touch()
    assert second.next().data == b"b"
    assert third.next().data == b"queued 1"
    flag(gateway, "two").touch()
    for stream in (first, second, third):
        assert stream.done()["status"] == "succeeded"


def test_a_stream_repeats_the_place_at_each_heartbeat(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_JOBS="1", HEARTBEAT="0.1")
    gateway.chat("silent")
    second = gateway.chat("line b")
    assert [second.next().data for _ in range(4)] == [b"queued 1"] * 4


def test_jobs_start_in_the_order_of_their_requests(gateway_with: Start) -> None:
    gateway = gateway_with(MAX_JOBS="1")
    begun = flag(gateway, "begun")
    first = gateway.chat("line a", f"await {begun}")
    first.next()
    streams = [gateway.chat("result ok") for _ in range(8)]
    begun.touch()
    for stream in streams:
        assert stream.done()["status"] == "succeeded"
    ended = [gateway.record(stream.job_id, "ended")["ended_at"] for stream in streams]
    assert all(one <= other for one, other in pairwise(ended))


def test_jobs_beyond_the_queue_are_refused_with_retry_after(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(MAX_JOBS="1", QUEUE_SIZE="1")
    running = gateway.chat("line a", "silent")
    running.next()
    waiting = gateway.chat("line b", "result ok")
    refused = gateway.post("line c")
    assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
    assert int(refused.headers["Retry-After"]) > 0
    assert len(list((gateway.state / "jobs").iterdir())) == 2
    gateway.ask("DELETE", f"/chat/{running.job_id}")
    assert waiting.messages()[0] == b"b"
    assert gateway.chat("result ok").done()["status"] == "succeeded"


def test_without_a_queue_a_job_runs_at_once_or_not_at_all(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_JOBS="1", QUEUE_SIZE="0")
    stream = gateway.chat("line a", "silent")
    stream.next()
    assert gateway.post("line b").json()["code"] == "queue_full"
    stream.close()
    eventually(lambda: not gateway.running())
    assert gateway.chat("result ok").done()["status"] == "succeeded"


@pytest.mark.parametrize("way", ["delete", "interrupt", "hang up", "stop"])
def test_a_job_that_waits_can_be_cancelled_and_never_runs(
    start_gateway: Start, gateway_with: Start, way: str
) -> None:
    gateway = (start_gateway if way == "stop" else gateway_with)(MAX_JOBS="1")
    first = gateway.chat("line a", "silent")
    first.next()
    second = gateway.chat("line b", "silent")
    third = gateway.chat("line c", "result ok")
    assert second.next().data == b"queued 1"
    assert third.next().data == b"queued 2"
    if way == "delete":
        answer = gateway.ask("DELETE", f"/chat/{second.job_id}")
        assert (answer.status_code, answer.json()["killed"]) == (200, 0)
    elif way == "interrupt":
        assert gateway.ask("POST", f"/jobs/{second.job_id}/interrupt").status_code == 202
    elif way == "hang up":
        second.close()
    else:
        assert gateway.stop() == 0
        assert gateway.record(third.job_id, "ended")["status"] == "cancelled"
    eventually((gateway.state / "jobs" / second.job_id / "ended").exists)
    assert gateway.record(second.job_id, "ended")["status"] == "cancelled"
    assert (gateway.state / "jobs" / second.job_id / "output").read_bytes() == b""
    if way == "stop":
        return
    assert third.next().data == b"queued 1"
    if way != "hang up":
        assert [event.name for event in second] == ["done"]
    assert gateway.ask("DELETE", f"/chat/{second.job_id}").status_code == 404
    gateway.ask("DELETE", f"/chat/{first.job_id}")
    assert third.done()["status"] == "succeeded"


def test_a_job_in_the_same_session_waits_and_delays_no_other(gateway: Gateway) -> None:
    one = flag(gateway, f"one-{uuid4()}")
    first = gateway.chat("line a", f"await {one}", "result ok", session_id=ONE)
    first.next()
    second = gateway.chat("line b", "result ok", session_id=ONE)
    assert second.next().data == b"queued 1 (another job is using this session)"
    assert gateway.chat("result ok", session_id=OTHER).done()["status"] == "succeeded"
    fork = gateway.chat("result ok", session_id=ONE, fork_session=True)
    assert fork.done()["status"] == "succeeded"
    one.touch()
    assert second.messages()[0] == b"b"
    first_end = gateway.record(first.job_id, "ended")["ended_at"]
    assert gateway.record(second.job_id, "ended")["ended_at"] >= first_end


def test_a_job_waits_for_a_session_that_a_running_job_has_begun(gateway: Gateway) -> None:
    first = gateway.chat(f"system {ONE}", "silent")
    first.next()
    second = gateway.chat("line b", "result ok", session_id=ONE)
    assert second.next().data.startswith(b"queued 1 (another")
    gateway.ask("DELETE", f"/chat/{first.job_id}")
    assert second.messages()[0] == b"b"


def test_three_jobs_in_one_session_run_one_after_the_other(gateway: Gateway) -> None:
    streams = [gateway.chat("chatter 3 0.05", "result ok", session_id=ONE) for _ in range(3)]
    for stream in streams:
        assert stream.done()["status"] == "succeeded"
    for earlier, later in pairwise(streams):
        began = (gateway.state / "runs" / later.job_id / "stderr").stat().st_mtime_ns
        ended = (gateway.state / "jobs" / earlier.job_id / "ended").stat().st_mtime_ns
        assert ended <= began


def test_respond_async_answers_while_the_job_waits(gateway_with: Start) -> None:
    gateway = gateway_with(MAX_JOBS="1")
    first = gateway.chat("line a", "silent")
    first.next()
    body = {"prompt": "line b\nresult ok", "cwd": str(gateway.project)}
    answer = gateway.ask("POST", "/chat", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    watcher = gateway.resume(answer.json()["process_id"])
    assert watcher.next().data == b"queued 1"
    first.close()
    assert watcher.messages()[0] == b"b"


@pytest.mark.parametrize(
    "victim", ["worker", "workers", "master", "launcher", "reload", "supervisor", "cli"]
)
def test_the_queue_keeps_its_order_whichever_process_dies(
    start_gateway: Start, victim: str
) -> None:
    gateway = start_gateway(MAX_JOBS="1", WORKERS="2")
    gate = flag(gateway, "gate")
    running = gateway.chat("line a", f"await {gate}", "result ok")
    running.next()
    waiting = [gateway.chat(f"line {number}", "result ok").job_id for number in range(4)]
    assert gateway.process is not None
    before = gateway.workers()
    first = gateway.processes_of(running.job_id)
    if victim == "worker":
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda: len(set(gateway.workers()) - set(before)) == 1)
    elif victim == "workers":
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: len(set(gateway.workers()) - set(before)) == 2)
    elif victim == "reload":
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(gateway.workers()) == 2 and not {*before} & {*gateway.workers()})
    elif victim == "launcher":
        os.kill(gateway.launcher(), signal.SIGKILL)
    elif victim == "master":
        gateway.kill()
        gateway.start()
    else:
        os.kill(getattr(first, victim).pid, signal.SIGKILL)
        eventually((gateway.state / "jobs" / running.job_id / "ended").exists)
    gateway.resume(waiting[-1])
    rows = {row["process_id"]: row["status"] for row in gateway.running()}
    if victim not in ("supervisor", "cli"):
        # No job jumps the queue, and no slot is given away.
        assert [rows[job_id] for job_id in waiting] == ["queued"] * 4
    gate.touch()
    for number, job_id in enumerate(waiting):
        stream = gateway.resume(job_id)
        assert stream.messages()[0] == b"%d" % number
        assert gateway.record(job_id, "ended")["status"] == "succeeded"
    ended = [gateway.record(job_id, "ended")["ended_at"] for job_id in waiting]
    eventually(lambda: not gateway.running())
    assert not marked_in(gateway.state)
    assert sorted(ended) == ended


def test_a_smaller_limit_after_a_reload_holds_at_once(start_gateway: Start, tmp_path: Path) -> None:
    gateway = start_gateway()
    settings = tmp_path / ".env"
    del gateway.environment["MAX_JOBS"]
    gateway.stop()
    settings.write_text("MAX_JOBS=2\n", encoding="utf-8")
    gateway.start()
    running = [gateway.chat("line a", "silent", detach=True) for _ in range(2)]
    for stream in running:
        stream.next()
    before = set(gateway.workers())
    settings.write_text("MAX_JOBS=1\n", encoding="utf-8")
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(gateway.workers()) == 2 and not before & set(gateway.workers()))
    waiting = gateway.chat("line b", "result ok")
    assert waiting.next().data == b"queued 1"
    gateway.ask("DELETE", f"/chat/{running[0].job_id}")
    assert statuses(gateway) == [("running", None), ("queued", 1)]
    gateway.ask("DELETE", f"/chat/{running[1].job_id}")
    assert waiting.messages()[0] == b"b"


def test_a_queued_job_that_cannot_be_started_ends_its_stream_with_an_error(
    gateway_with: Start,
) -> None:
    gateway = gateway_with(MAX_JOBS="1")
    first = gateway.chat("line a", "silent")
    first.next()
    gone = gateway.folder / "gone"
    gone.mkdir()
    second = gateway.chat("line b", cwd=str(gone))
    assert second.next().data == b"queued 1"
    gone.rmdir()
    first.close()
    (error,) = list(second)
    assert (error.name, json.loads(error.data)["code"]) == ("error", "job_not_started")
    record = gateway.ask("GET", f"/jobs/{second.job_id}").json()
    assert record["status"] == "failed"
    assert "No such file" in record["error"]
    assert gateway.chat("result ok").done()["status"] == "succeeded"


def test_a_queue_from_before_the_machines_last_start_is_discarded(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    gateway.chat("line a", "silent").next()
    second = gateway.chat("line b")
    assert second.next().data == b"queued 1"
    kill_with_launcher(gateway)
    queue = gateway.state / "queue"
    record = json.loads(queue.read_bytes())
    queue.write_text(json.dumps({**record, "boot_id": "another"}), encoding="utf-8")
    gateway.start()
    assert gateway.record(second.job_id, "ended")["status"] == "lost"
    # The first one's supervisor has outlived it all.
    assert statuses(gateway) == [("running", None)]
    gateway.ask("DELETE", f"/chat/{gateway.running()[0]['process_id']}")
