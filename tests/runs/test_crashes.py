"""Every crash, with every kind of job: a client that resumes has each line exactly once."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import pytest

from app import processes
from tests.support.gateway import (
    PATIENCE,
    Gateway,
    alive,
    eventually,
    marked_in,
    running_gateway,
)
from tests.support.listener import Listener

#: Bytes of the huge line that are there when the crash comes, and that follow later.
HALF = 12_000_000


class Kind(NamedTuple):
    """A job that does not end before it is let; `begun` is set when it is time for a crash."""

    verbs: Callable[[Path], list[str]]
    begun: Callable[[Listener], bool]


KINDS = {
    "silent": Kind(
        lambda flag: [f"await {flag}", "line after"],
        lambda listener: len(listener.events) >= 1,
    ),
    "chatty": Kind(
        lambda flag: [f"babble 0.003 {flag}"],
        lambda listener: len(listener.events) >= 20,
    ),
    "in-a-huge-line": Kind(
        lambda flag: [f"part {HALF}", f"await {flag}", f"part {HALF}", "raw 0a"],
        lambda listener: listener.received > HALF / 2,
    ),
}


def kill_its_worker(gateway: Gateway, job_id: str) -> None:
    """End the worker that serves the job's client; the master starts another."""
    (line,) = [each for each in gateway.log().splitlines() if f"job {job_id} started" in each]
    gateway.kill_workers(int(line.split()[2]))


def kill_all_workers(gateway: Gateway, _: str) -> None:
    """End every worker; the master starts others."""
    gateway.kill_workers()


def kill_the_master(gateway: Gateway, _: str) -> None:
    """Kill gunicorn's master, and start the gateway again."""
    gateway.kill_master()
    gateway.start()


def stop(gateway: Gateway, _: str) -> None:
    """Stop the gateway, which ends all jobs, and start it again."""
    assert gateway.stop() == 0
    assert not marked_in(gateway.state)
    gateway.start()


def reload(gateway: Gateway, _: str) -> None:
    """Have all workers replaced in order."""
    gateway.reload()


def kill_the_launcher(gateway: Gateway, _: str) -> None:
    """End the launcher."""
    launcher = gateway.launcher()
    os.kill(launcher, signal.SIGKILL)
    eventually(lambda: not alive(launcher))


def kill_the_supervisor(gateway: Gateway, job_id: str) -> None:
    """End the process beside the job."""
    os.kill(gateway.processes_of(job_id).supervisor.pid, signal.SIGKILL)


def kill_the_cli(gateway: Gateway, job_id: str) -> None:
    """End the CLI alone."""
    os.kill(gateway.processes_of(job_id).cli.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def _battered(fake_claude: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("battered"), fake_claude) as gateway:
        yield gateway


@pytest.fixture
def battered(_battered: Gateway) -> Iterator[Gateway]:
    """One gateway for all crashes: it must stand them one after the other, too."""
    assert _battered.process is not None
    if _battered.process.poll() is not None:
        _battered.start()
    yield _battered
    if _battered.process.poll() is None:
        _battered.hang_up()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("crash", "breaks", "status", "by_signal"),
    [
        (kill_its_worker, True, "succeeded", None),
        (kill_all_workers, True, "succeeded", None),
        (kill_the_master, True, "succeeded", None),
        (stop, True, "cancelled", "SIGINT"),
        (reload, True, "succeeded", None),
        (kill_the_launcher, False, "succeeded", None),
        (kill_the_supervisor, False, "lost", None),
        (kill_the_cli, False, "failed", "SIGKILL"),
    ],
)
def test_each_line_arrives_once_and_the_end_has_its_status(
    battered: Gateway,
    tmp_path: Path,
    crash: Callable[[Gateway, str], None],
    breaks: bool,
    status: str,
    by_signal: str | None,
    kind: str,
) -> None:
    flag = tmp_path / "flag"
    job = KINDS[kind]
    stream = battered.chat("child daemon", *job.verbs(flag), "result ok")
    listener = Listener(battered, stream)
    eventually(lambda: job.begun(listener))
    crash(battered, stream.job_id)
    if status == "succeeded":
        # It runs on, whichever process died.
        assert [row["process_id"] for row in battered.running()] == [stream.job_id]
        # What has started the daemon may not have exited yet.
        eventually(lambda: len(marked_in(battered.state)) == 2)
    flag.touch()
    listener.join(2 * PATIENCE)
    *messages, last = listener.events
    done = json.loads(last.data)
    assert (last.name, done["status"], done["signal"]) == ("done", status, by_signal)
    assert bool(listener.breaks) == breaks
    assert not marked_in(battered.state)
    assert battered.running() == []
    output = (battered.state / "jobs" / stream.job_id / "output").read_bytes()
    lines = brief(output.removesuffix(b"\n").split(b"\n"))
    assert brief([message.data for message in messages]) == lines
    assert brief(battered.resume(stream.job_id).messages()) == lines
    # And it serves on.
    assert battered.chat("result ok").done()["status"] == "succeeded"


def brief(lines: list[bytes]) -> list[tuple[bytes, int, int]]:
    """What can be compared, and shown if it differs, however long the lines are."""
    return [(line[:20], len(line), crc32(line)) for line in lines]


def test_a_stop_leaves_no_process_that_systemd_would_kill(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    assert gateway.chat("result ok").done()["status"] == "succeeded"
    launcher = gateway.launcher()
    left = [launcher, *(child.pid for child in processes.children_of(launcher))]
    assert len(left) > 1
    assert gateway.stop() == 0
    # Now, and not soon: systemd kills at once what its main process left.
    assert not [pid for pid in left if alive(pid)]
