"""The queue under faults: crashes, races, damaged files."""

import contextlib
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.gateway import PATIENCE, alive, eventually, kill_all
from tests.support.waiting import (
    Start,
    begin,
    flag,
    kill_with_launcher,
    remove_folder,
    statuses,
    stopped,
)


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


def test_the_slot_of_a_job_without_supervisor_is_free_only_when_the_job_has_ended(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    first = begin(gateway, "deaf", "silent", detach=True)
    second = gateway.chat("line b", "result ok")
    assert second.next().data == b"queued 1"
    running = gateway.processes_of(first.job_id)
    before = gateway.launcher()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not alive(before))
    # The next one has taken up the job.
    third = gateway.chat("line c", "result ok")
    assert third.next().data == b"queued 2"
    os.kill(running.supervisor.pid, signal.SIGKILL)
    assert second.messages()[0] == b"b"
    began = (gateway.state / "runs" / second.job_id / "stderr").stat().st_mtime_ns
    eventually((gateway.state / "jobs" / first.job_id / "ended").exists)
    ended = (gateway.state / "jobs" / first.job_id / "ended").stat().st_mtime_ns
    assert ended <= began


def test_a_supervisor_that_dies_when_it_has_reported_its_end_does_not_end_the_launcher(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    gate = flag(gateway, "gate")
    first = begin(gateway, f"await {gate}", "result ok")
    supervisor = gateway.processes_of(first.job_id).supervisor.pid
    launcher = gateway.launcher()
    with stopped(launcher):
        gate.touch()
        assert first.done()["status"] == "succeeded"
        # It has reported the end by then, and waits for the next job.
        time.sleep(0.2)
        os.kill(supervisor, signal.SIGKILL)
        eventually(lambda: not alive(supervisor))
    assert gateway.chat("result ok").done()["status"] == "succeeded"
    assert alive(launcher)


def test_a_queued_job_that_cannot_be_claimed_does_not_wait_for_ever(
    small_disk: Path, start_gateway: Start
) -> None:
    gateway = start_gateway(
        MAX_JOBS="1", STATE_DIR=str(small_disk), MIN_FREE_DISK="0", HEARTBEAT="0.2"
    )
    gateway.state = small_disk
    gate = flag(gateway, "gate")
    first = begin(gateway, f"await {gate}", "result ok")
    second = gateway.chat("line b", "result ok")
    assert second.next().data == b"queued 1"
    filler = small_disk / "filler"
    filler.mkdir()
    with stopped(gateway.launcher()):
        gate.touch()
        assert first.done()["status"] == "succeeded"
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            for number in range(1000):
                (filler / str(number)).touch()
    time.sleep(1)
    for path in filler.iterdir():
        path.unlink()
    eventually(
        lambda: (
            gateway.ask("GET", f"/jobs/{second.job_id}").json()["status"]
            not in ("running", "queued")
        ),
        lambda: f"the queued job was not started: {statuses(gateway)}",
    )


def test_a_job_that_waits_can_be_cancelled_while_the_launcher_does_not_answer(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    begin(gateway, "silent")
    second = gateway.chat("line b")
    assert second.next().data == b"queued 1"
    with stopped(gateway.launcher()):
        begun = time.monotonic()
        answer = gateway.ask("DELETE", f"/chat/{second.job_id}", timeout=100)
        took = time.monotonic() - begun
    assert gateway.record(second.job_id, "ended")["status"] == "cancelled"
    assert (answer.status_code, took < 10) == (200, True), (answer.text, took)


def test_an_empty_session_is_no_session(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_JOBS="10")
    begin(gateway, "silent", session_id="")
    begin(gateway, "silent", session_id="f9645fec-cdad-4505-8f73-2b22a415a890")
    waiting = gateway.chat("result ok", session_id="f9645fec-cdad-4505-8f73-2b22a415a890")
    assert waiting.next().data.startswith(b"queued 1")
    assert gateway.chat("line b", "result ok", session_id="").next().data == b"b"


@pytest.mark.parametrize("content", ["rows", "row", "names", "list"])
def test_a_damaged_queue_counts_as_missing(start_gateway: Start, content: str) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    begin(gateway, "silent")
    second = gateway.chat("line b")
    assert second.next().data == b"queued 1"
    queue = gateway.state / "queue"
    record = json.loads(queue.read_bytes())
    rows = {"rows": 5, "row": [5], "names": [[5, 6]], "list": [[["x"], "slot"]]}[content]
    kill_with_launcher(gateway)
    queue.write_text(json.dumps({**record, "rows": rows}), encoding="utf-8")
    gateway.start()
    assert gateway.ask("GET", "/processes").status_code == 200
    assert gateway.chat("line c").next().data == b"queued 1"
    gateway.ask("DELETE", f"/chat/{gateway.running()[0]['process_id']}")


def test_a_job_whose_folder_is_removed_while_it_waits_ends_its_stream(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(MAX_JOBS="1", HEARTBEAT="0.2")
    gate = flag(gateway, "gate")
    begin(gateway, f"await {gate}", "result ok")
    second = gateway.chat("line b", "result ok")
    assert second.next().data == b"queued 1"
    remove_folder(gateway, second.job_id)
    gate.touch()
    deadline = time.monotonic() + PATIENCE
    for event in second:
        if event.name != ":":
            break
        assert time.monotonic() < deadline, f"still {event}"
    eventually(lambda: json.loads((gateway.state / "queue").read_bytes())["rows"] == [])


def test_a_stop_starts_no_queued_job(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_JOBS="4")
    for _ in range(4):
        begin(gateway, "silent", detach=True)
    waiting = [gateway.chat("line b", "silent", detach=True).job_id for _ in range(60)]
    assert gateway.stop() == 0
    ran = [each for each in waiting if (gateway.state / "runs" / each / "running").is_symlink()]
    assert ran == []


def test_a_slot_is_free_for_a_client_that_has_seen_the_end_of_its_job(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_JOBS="1", QUEUE_SIZE="0")
    gate = flag(gateway, "gate")
    first = begin(gateway, f"await {gate}", "result ok")
    with ThreadPoolExecutor(1) as pool:
        with stopped(gateway.launcher()):
            gate.touch()
            assert first.done()["status"] == "succeeded"
            second = pool.submit(gateway.post, "result ok")
            time.sleep(0.5)
        gateway.opened(second.result()).done()


def test_a_job_that_an_earlier_launchers_supervisor_claims_late_takes_a_slot(
    start_gateway: Start, tmp_path: Path
) -> None:
    gateway = start_gateway(MAX_JOBS="2", WORKERS="1")
    gateway.stop()
    del gateway.environment["MAX_JOBS"]
    settings = tmp_path / ".env"
    settings.write_text("MAX_JOBS=2\n", encoding="utf-8")
    gateway.start()
    one = begin(gateway, "silent", detach=True)
    two = begin(gateway, "silent", detach=True)
    late = gateway.chat("line c", "silent", detach=True)
    last = gateway.chat("line d", "silent", detach=True)
    assert last.next().data == b"queued 2"
    supervisors = [gateway.processes_of(each.job_id).supervisor.pid for each in (one, two)]
    launcher = gateway.launcher()
    idle = set(children_of(launcher)) - set(supervisors)
    kill_all(*idle, number=signal.SIGSTOP)
    try:
        os.kill(supervisors[1], signal.SIGKILL)
        eventually((gateway.state / "jobs" / two.job_id / "ended").exists)
        eventually(lambda: "start" in (gateway.state / "queue").read_text(encoding="utf-8"))
        settings.write_text("MAX_JOBS=1\n", encoding="utf-8")
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: not alive(launcher))
        eventually(lambda: gateway.ask("GET", "/processes").status_code == 200)
        time.sleep(1)
    finally:
        kill_all(*idle, number=signal.SIGCONT)
    eventually((gateway.state / "runs" / late.job_id / "running").is_symlink)
    gateway.ask("DELETE", f"/chat/{one.job_id}")
    time.sleep(1)
    assert [status for status, _ in statuses(gateway)] == ["running", "queued"]


def test_a_running_job_whose_folder_is_removed_ends_its_stream(start_gateway: Start) -> None:
    gateway = start_gateway(HEARTBEAT="0.2")
    stream = begin(gateway, "silent")
    remove_folder(gateway, stream.job_id)
    deadline = time.monotonic() + PATIENCE
    for event in stream:
        if event.name != ":":
            break
        assert time.monotonic() < deadline, f"still {event}"


@pytest.mark.parametrize("kind", ["jobs/{}/job.json", "runs/{}/start.json"])
def test_a_queued_job_without_its_record_ends(start_gateway: Start, kind: str) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    first = begin(gateway, f"await {flag(gateway, 'gate')}", "result ok")
    second = gateway.chat("line b", "result ok")
    assert second.next().data == b"queued 1"
    (gateway.state / kind.format(second.job_id)).write_text("{", encoding="utf-8")
    flag(gateway, "gate").touch()
    assert first.done()["status"] == "succeeded"
    *_, last = second
    assert last.name in ("error", "done")
    eventually(lambda: not (gateway.state / "live" / second.job_id).exists())
    assert gateway.chat("result ok").done()["status"] == "succeeded"
