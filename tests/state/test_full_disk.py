"""A full disk harms only the jobs that write to it."""

import contextlib
import itertools
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.gateway import Gateway, eventually
from tests.support.waiting import Start, begin, flag, stopped


def test_a_full_disk_is_reported_and_harms_no_other_job(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    state = tmp_path / "small"
    state.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(state)], check=False
    )
    if mount.returncode != 0:
        pytest.skip("this machine does not allow mounts")
    try:
        gateway = start_gateway(STATE_DIR=str(state), MIN_FREE_DISK="0")
        gateway.state = state
        quiet = gateway.chat("line a", "silent")
        quiet.next()
        flag = tmp_path / "full"
        speaking = gateway.chat("line a", f"await {flag}", f"line {'x' * 9999}", "result ok")
        speaking.next()
        filler = state / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 65536)
        wrong = gateway.ask("GET", "/processes", auth=("admin", "wrong"))
        assert wrong.status_code == 401
        assert len(gateway.running()) == 2
        assert gateway.post("result ok").status_code == 503
        flag.touch()
        done = speaking.done()
        assert (done["status"], done["reason"]) == ("failed", "disk_full")
        assert [row["process_id"] for row in gateway.running()] == [quiet.job_id]
        filler.unlink()
        assert gateway.ask("DELETE", f"/chat/{quiet.job_id}").status_code == 200
        assert quiet.done()["status"] == "cancelled"
        gateway.stop()
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)


def test_workers_are_replaced_where_the_disk_has_room_for_no_file(
    small_disk: Path, start_gateway: Start
) -> None:
    gateway = start_gateway(STATE_DIR=str(small_disk), MIN_FREE_DISK="0")
    gateway.state = small_disk
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (small_disk / f"filler-{number}").touch()
    # The new worker starts beside the old one, and has no files of that number yet.
    gateway.reload()
    assert gateway.ask("GET", "/metrics").status_code == 200
    assert "will be missing" in gateway.log()
    for filler in small_disk.glob("filler-*"):
        filler.unlink()
    assert gateway.chat("result ok").done()["status"] == "succeeded"


def test_queued_jobs_are_neither_started_nor_lost_while_the_disk_is_full(
    small_disk: Path, start_gateway: Start
) -> None:
    gateway = start_gateway(MAX_JOBS="1", STATE_DIR=str(small_disk), MIN_FREE_DISK="0")
    gateway.state = small_disk
    gate = flag(gateway, "gate")
    first = begin(gateway, f"await {gate}", "result ok")
    waiting = [gateway.chat("line b", "result ok") for _ in range(3)]
    for number, stream in enumerate(waiting):
        assert stream.next().data == b"queued %d" % (number + 1)
    filler = small_disk / "filler"
    with stopped(gateway.launcher()):
        gate.touch()
        assert first.done()["status"] == "succeeded"
        time.sleep(0.2)
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    time.sleep(2)
    filler.unlink()
    ends = [gateway.ask("GET", f"/jobs/{stream.job_id}?wait=60", timeout=70) for stream in waiting]
    assert [end.json()["status"] for end in ends] == ["succeeded"] * 3


def test_a_queued_job_that_is_cancelled_on_a_full_disk_ends_as_cancelled(
    small_disk: Path, start_gateway: Start
) -> None:
    gateway = start_gateway(MAX_JOBS="1", STATE_DIR=str(small_disk), MIN_FREE_DISK="0")
    gateway.state = small_disk
    begin(gateway, "silent")
    second = gateway.chat("line b", "result ok")
    assert second.next().data == b"queued 1"
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    answer = gateway.ask("DELETE", f"/chat/{second.job_id}")
    filler.unlink()
    record = gateway.ask("GET", f"/jobs/{second.job_id}?wait=60", timeout=70).json()
    assert (answer.status_code, record["status"]) == (200, "cancelled")


def test_a_full_disk_is_named_in_the_log_and_in_the_stream_while_it_lasts(
    small_disk: Path, start_gateway: Start
) -> None:
    gateway = start_gateway(STATE_DIR=str(small_disk), MIN_FREE_DISK="0", HEARTBEAT="0.2")
    gateway.state = small_disk
    gate = flag(gateway, "gate")
    stream = begin(gateway, f"await {gate}", "result ok")
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    assert next(event.data for event in stream if b"disk" in event.data).startswith(
        b"the disk is full"
    )
    # Workers check the disk when they start, and every half minute.
    gateway.kill_workers()
    eventually(lambda: "the disk is full: jobs cannot write" in gateway.log())
    filler.unlink()
    gate.touch()
    assert gateway.resume(stream.job_id).done()["status"] in ("succeeded", "failed")


def test_a_job_ends_on_a_full_disk_in_the_space_of_its_message(
    small_disk: Path, start_gateway: Start
) -> None:
    gateway = start_gateway(STATE_DIR=str(small_disk), MIN_FREE_DISK="0", HEARTBEAT="0.2")
    gateway.state = small_disk
    gate = flag(gateway, "gate")
    stream = begin(gateway, "result ok", f"await {gate}")
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    gate.touch()
    assert stream.done()["status"] == "succeeded"
