"""Every crash, at random moments of the turns of kept runs: nothing is lost, doubled or left."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.records import question_list
from app.records.job import Job
from app.records.run import Run
from tests.support.battered_session import Session, await_idle, kept_of
from tests.support.cli_watch import CliWatch
from tests.support.gateway import Gateway, alive, eventually, running_gateway
from tests.support.turn_phases import PHASES

#: Sessions side by side in each column: idle, busy, with an open question. In each round, all of
#: them see a crash; `--rounds=5` makes 20 moments of each.
EACH = 4

Crash = Callable[[Session, Job], object]


def kill_the_cli(session: Session, _: Job) -> None:
    """End the CLI of the session's run."""
    running = Run(str(session.gateway.state), session.kept.id).running()
    assert running is not None
    _kill(running.cli.pid)


def kill_the_supervisor(session: Session, _: Job) -> None:
    """End the supervisor of the session's run."""
    _kill(session.kept.supervisor.pid)


def kill_the_launcher(session: Session, _: Job) -> None:
    """End the launcher."""
    launcher = session.gateway.launcher()
    # Without any, it would be the group of the test.
    assert launcher > 0
    _kill(launcher)
    eventually(lambda: not alive(launcher))


def kill_a_worker(session: Session, _: Job) -> None:
    """End one of the workers."""
    session.gateway.kill_workers(session.random.choice(session.gateway.workers()))


def kill_all_workers(session: Session, _: Job) -> None:
    """End every worker."""
    session.gateway.kill_workers()


def kill_the_master(session: Session, _: Job) -> None:
    """Kill gunicorn's master, and start the gateway again."""
    session.gateway.kill_master()
    session.gateway.start()


def reload(session: Session, _: Job) -> None:
    """Have all workers replaced in order."""
    session.gateway.reload()


def fill_the_disk(session: Session, _: Job) -> None:
    """Leave no byte on the disk of STATE_DIR for some time."""
    filler = session.gateway.state / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    time.sleep(session.random.uniform(0.01, 0.3))
    filler.unlink()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def _gateway(fake_claude: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("crashes"), fake_claude) as gateway:
        yield gateway


@pytest.fixture
def gateway(_gateway: Gateway) -> Iterator[Gateway]:
    """One gateway for all crashes: it must stand them one after the other, too."""
    yield _gateway
    _gateway.hang_up()


@pytest.mark.parametrize(
    ("crash", "status"), [(kill_the_cli, "failed"), (kill_the_supervisor, "lost")]
)
def test_the_death_of_a_process_of_a_run(
    gateway: Gateway, crash: Crash, status: str, rounds: int
) -> None:
    with battered(gateway, crash.__name__) as sessions:
        for number in range(rounds):
            happened = threading.Event()
            happened.set()
            run_turns(sessions, number, [crash] * len(sessions), happened)
            for session in sessions:
                session.check({"succeeded", status})
            settle(sessions)


@pytest.mark.parametrize(
    "crash", [kill_the_launcher, kill_a_worker, kill_all_workers, kill_the_master, reload]
)
def test_the_death_of_a_process_that_all_share(gateway: Gateway, crash: Crash, rounds: int) -> None:
    with battered(gateway, crash.__name__) as sessions:
        for number in range(rounds):
            crash_at_once(sessions, number, crash)
            for session in sessions:
                session.check({"succeeded"})
            settle(sessions)


def test_a_full_disk(tmp_path: Path, fake_claude: Path, rounds: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("this machine does not allow mounts")
    try:
        with running_gateway(
            tmp_path, fake_claude, STATE_DIR=str(disk), MIN_FREE_DISK="0"
        ) as gateway:
            gateway.state = disk
            with battered(gateway, "fill_the_disk") as sessions:
                for number in range(rounds):
                    crash_at_once(sessions, number, fill_the_disk)
                    for session in sessions:
                        session.check({"succeeded", "failed"})
                        assert session.turn.done.get("reason") in (None, "disk_full")
                    settle(sessions)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@contextlib.contextmanager
def battered(gateway: Gateway, name: str) -> Iterator[list[Session]]:
    """Sessions with an idle run each; at the end, nothing of them may be left."""
    eventually(lambda: "turns" in (gateway.ask("GET", "/health").json()["capabilities"] or []))
    sessions = [
        Session(gateway, column, f"{name} {column} {number}")
        for column in PHASES
        for number in range(EACH)
    ]
    with CliWatch({session.id for session in sessions}) as watch:
        settle(sessions)
        yield sessions
        for session in sessions:
            gateway.ask("DELETE", f"/runs/{kept_of(session).id}")
        eventually(lambda: not watch.found, lambda: f"left: {watch.found}")
    assert list((gateway.state / "live").iterdir()) == []
    # A listing removes what dead supervisors left.
    assert gateway.ask("GET", "/questions").json()["questions"] == []
    assert question_list.listed(str(gateway.state)) == []
    assert list((gateway.state / "kept").iterdir()) == []
    assert gateway.running() == []


def crash_at_once(sessions: list[Session], number: int, crash: Crash) -> None:
    """A turn of each session; one of them decides when all see the crash."""
    happened = threading.Event()
    chosen = random.Random(f"{crash.__name__} {number}").randrange(len(sessions))  # noqa: S311 - repeatable

    def crash_now(session: Session, job: Job) -> None:
        try:
            crash(session, job)
        finally:
            happened.set()

    crashes = [crash_now if each == chosen else _wait for each in range(len(sessions))]
    run_turns(sessions, number, crashes, happened)


def _wait(*_: object) -> None:
    """Nothing: another session's crash is this one's, too."""


def run_turns(
    sessions: list[Session], number: int, crashes: list[Crash], happened: threading.Event
) -> None:
    """A turn of each session, all at the same time."""

    def run(index: int) -> None:
        session = sessions[index]
        phases = list(PHASES[session.column])
        phase = phases[(number * EACH + index) % len(phases)]
        # So that others are at another moment of theirs.
        time.sleep(session.random.uniform(0, 0.05))
        session.crashed_turn(phase, crashes[index], happened)

    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(run, range(len(sessions))))


def settle(sessions: list[Session]) -> None:
    """A further turn of each session, after which its run is idle."""
    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(Session.next_turn, sessions))
    await_idle(sessions)
    for session in sessions:
        session.kept = kept_of(session)
