"""What remains after a stop, a crash and the end of a worker."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import requests

from app.master import GRACEFUL_TIMEOUT
from tests.support.gateway import (
    Gateway,
    Stream,
    alive,
    eventually,
    kill_all,
    marked_in,
)


def test_stopping_ends_streams_and_jobs_and_leaves_no_process(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    stream = gateway.chat("child deaf daemon", "silent")
    stream.next()
    assert gateway.stop() == 0
    last = list(stream)[-1]
    assert last.name == "error"
    assert json.loads(last.data)["code"] == "stream_ended"
    assert not marked_in(gateway.state)
    assert gateway.record(stream.job_id, "ended")["status"] == "cancelled"
    eventually(lambda: not _served(gateway))


def test_after_kill_9_of_everything_the_next_start_closes_what_was_left(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    stream = gateway.chat("line before", "child deaf daemon", "silent")
    stream.next()
    stream.next()
    assert gateway.process is not None
    # One that finds out what the CLI can do may end by itself.
    kill_all(gateway.process.pid, *_served(gateway))
    gateway.process.wait()
    assert marked_in(gateway.state)
    gateway.start()
    assert not marked_in(gateway.state)
    assert gateway.record(stream.job_id, "ended")["status"] == "lost"
    assert gateway.running() == []


def test_a_worker_that_is_just_starting_is_stopped_at_once(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(WORKERS="1")
    gateway.stop()
    gateway.copy_code()
    configuration = gateway.code / "gunicorn.conf.py"
    text, said = configuration.read_text(encoding="utf-8"), "worker.notifier = server.notifier"
    assert text.count(said) == 1
    slow = text.replace(said, f"{said}\n    __import__('time').sleep(2)")
    configuration.write_text(slow, encoding="utf-8")
    gateway.process = gateway.launch()
    eventually(lambda: gateway.log().count("Booting worker") == 2)
    begun = time.monotonic()
    assert gateway.stop() == 0
    # After that the master would kill it.
    assert time.monotonic() - begun < GRACEFUL_TIMEOUT


# The master stops its first worker before that has run at all.
_STOP_AT_ONCE = """

def stop_first(stopped=[]):
    if not stopped:
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            stopped += map(int, children.read().split())
        for pid in stopped:
            os.kill(pid, signal.SIGTERM)


os.register_at_fork(after_in_parent=stop_first)
"""


def test_a_worker_that_has_not_run_yet_is_stopped_at_once(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(WORKERS="1")
    gateway.stop()
    before = gateway.log().count("Worker exiting")
    gateway.copy_code()
    with (gateway.code / "gunicorn.conf.py").open("a", encoding="utf-8") as configuration:
        configuration.write(_STOP_AT_ONCE)
    gateway.start()
    # It was another one that has answered.
    assert gateway.log().count("Worker exiting") == before + 1


def test_a_killed_worker_is_replaced(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    before = gateway.workers()
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(set(gateway.workers()) - set(before)) == 1)
    for _ in range(6):
        assert gateway.chat("result ok").done()["status"] == "succeeded"


def _served(gateway: Gateway) -> list[int]:
    """The pids of the launcher and the supervisors of this gateway, and of its workers."""
    found = []
    for entry in Path("/proc").iterdir():
        # It may end while we look.
        with contextlib.suppress(OSError):
            if (
                entry.name.isdigit()
                and str(gateway.state).encode() in (entry / "cmdline").read_bytes()
            ):
                found.append(int(entry.name))
    workers = gateway.workers() if gateway.process and gateway.process.poll() is None else []
    return found + workers


def test_a_request_that_arrives_while_a_worker_stops_starts_nothing_there(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    assert gateway.process is not None
    before = set(gateway.workers())
    gateway.process.send_signal(signal.SIGHUP)
    statuses = []
    jobs: list[Stream] = []
    while before & set(gateway.workers()):
        with contextlib.suppress(requests.ConnectionError):
            response = gateway.post("result ok")
            statuses.append(response.status_code)
            if response.status_code == 200:
                jobs.append(Stream(response))
                list(jobs[-1])
    assert set(statuses) <= {200, 503}
    # Jobs that ran when their worker was stopped have gone on.
    for job in jobs:
        assert gateway.resume(job.job_id).done()["status"] == "succeeded"
    assert gateway.running() == []


def test_a_stop_leaves_no_probe_of_the_cli(
    tmp_path: Path, start_gateway: Callable[..., Gateway]
) -> None:
    claude = tmp_path / "claude"
    # Without standard input, the real CLI would end by itself after a moment.
    claude.write_text(
        "#!/bin/sh\n"
        'case "$1" in --version) echo "9.9.9 (Fake)"; exit ;; auth) echo "{}"; exit ;; esac\n'
        'echo $$ >"$HOME/written" && mv "$HOME/written" "$HOME/probe" && exec sleep 60\n'
    )
    claude.chmod(0o700)
    gateway = start_gateway(claude, WORKERS="1")
    probe = gateway.home / "probe"
    eventually(probe.exists)
    gateway.stop()
    assert not alive(int(probe.read_text()))
