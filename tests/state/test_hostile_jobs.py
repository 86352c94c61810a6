"""A job that damages STATE_DIR, where its user may write, harms only itself."""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from app import processes
from app.processes import Process
from app.state.lock import LockTimeout, locked
from tests.support.gateway import PATIENCE, Gateway, eventually, running_gateway
from tests.support.hostile import PLACED, Start, serves

#: The files of a job and of its run, as a path from the run's folder.
_JOB = "../../jobs/${PWD##*/}"
FILES = (
    *("output", "stderr", "start.json", "running", "exited", "temporary"),
    *(f"{_JOB}/{name}" for name in ("output", "message", "job.json", "ended", "claim", "wish")),
)
#: What all jobs share.
SHARED = (
    *("queue", "launcher", "launcher.lock", "gateway.lock", "login.json", "live", "unlogged"),
    *("unindexed", "index", "keeper.lock"),
)
#: What is put in the place of that.
SHARED_PLACED = ("nothing", "a pipe", "a folder", "a link", "zeros", "no rights")


class Hostile:
    """A job that runs shell commands in its run's folder, then waits to be ended."""

    def __init__(self, gateway: Gateway, command: str) -> None:
        self._flag = gateway.folder / f"flag-{uuid4()}"
        here = 'cd "$(dirname "$(readlink /proc/$$/fd/1)")"'
        line = f"shell {here}; {command}; touch {self._flag}"
        self.stream = gateway.chat(line, "silent", detach=True)
        self.job_id = self.stream.job_id

    def is_done(self) -> bool:
        """Whether it has run its commands, or was ended because its folder is gone."""
        return self._flag.exists() or not processes.marked(self.job_id)


def end_all(gateway: Gateway, *job_ids: str) -> None:
    """Cancel these jobs, and wait until all their processes are gone.

    A job that has damaged its record is found when its supervisor has mended that; one that
    has removed its folder ends by itself.
    """

    def are_gone() -> bool:
        with ThreadPoolExecutor(len(job_ids)) as pool:
            ends = pool.map(lambda job_id: gateway.ask("DELETE", f"/chat/{job_id}"), job_ids)
            assert {answer.status_code for answer in ends} <= {200, 404}
        return not _left(job_ids)

    eventually(are_gone, lambda: f"left: {_left(job_ids)}")


def _left(job_ids: tuple[str, ...]) -> list[Process]:
    return [process for job_id in job_ids for process in processes.marked(job_id)]


@pytest.mark.parametrize("name", FILES)
def test_nothing_in_the_place_of_a_jobs_file_harms_another_job(gateway: Gateway, name: str) -> None:
    hostile = [Hostile(gateway, command.format(name)) for command in PLACED.values()]
    eventually(lambda: all(job.is_done() for job in hostile))
    serves(gateway)
    end_all(gateway, *(job.job_id for job in hostile))
    serves(gateway)


def test_a_job_without_its_folder_or_with_another_in_its_place_harms_no_other(
    gateway: Gateway,
) -> None:
    one = gateway.chat("line of another", "silent")
    assert one.next().data == b"of another"
    commands = (
        "chmod 000 $PWD",
        "rm -rf $PWD",
        "mv $PWD $PWD.away; mkdir $PWD",
        f"mv $PWD $PWD.away; ln -s {gateway.state}/{{}}/{one.job_id} $PWD",
        "mv $PWD $PWD.away; : > $PWD",
    )
    hostile = [
        Hostile(gateway, f"cd ../../{kind}/${{PWD##*/}}; {command.format(kind)}")
        for kind in ("jobs", "runs")
        for command in commands
    ]
    eventually(lambda: all(job.is_done() for job in hostile))
    serves(gateway)
    end_all(gateway, *(job.job_id for job in hostile))
    serves(gateway)
    assert [row["process_id"] for row in gateway.running()] == [one.job_id]
    gateway.ask("DELETE", f"/chat/{one.job_id}")
    assert one.done()["status"] == "cancelled"


@pytest.fixture(scope="module")
def _attacked(fake_claude: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("attacked"), fake_claude, WORKERS="1") as gateway:
        yield gateway


@pytest.fixture
def attacked(_attacked: Gateway) -> Iterator[Gateway]:
    """One gateway for all attacks on what is shared: it must stand them one after the other."""
    yield _attacked
    _attacked.hang_up()


@pytest.mark.parametrize("name", SHARED)
def test_shared_files_and_folders_that_a_job_has_replaced_are_mended(
    attacked: Gateway, name: str
) -> None:
    gateway = attacked
    one = gateway.chat("line of another", "silent")
    assert one.next().data == b"of another"
    for what in SHARED_PLACED:
        command = PLACED[what].format(name)
        job = Hostile(gateway, f"cd {gateway.state}; {command}")
        eventually(job.is_done)
        # A request before that may have to be repeated.
        eventually(lambda: _starts(gateway), lambda: f"no job starts\n{gateway.log()}")
        serves(gateway)
        if gateway.ask("DELETE", f"/chat/{job.job_id}").status_code != 404:
            eventually(lambda job=job: not processes.marked(job.job_id))  # type: ignore[misc]
    assert one.job_id in [row["process_id"] for row in gateway.running()]
    gateway.ask("DELETE", f"/chat/{one.job_id}")
    assert one.done()["status"] == "cancelled"


@pytest.mark.parametrize("what", SHARED_PLACED)
def test_a_gateway_stops_and_starts_whatever_jobs_have_put_in_the_place_of_what_is_shared(
    attacked: Gateway, what: str
) -> None:
    commands = [PLACED[what].format(name) for name in SHARED]
    subprocess.run(["sh", "-c", "; ".join(commands)], cwd=attacked.state, check=True)
    assert attacked.stop() == 0
    attacked.start()
    serves(attacked)


def _starts(gateway: Gateway) -> bool:
    answer = gateway.post("result ok")
    assert answer.status_code in (200, 503), answer.text
    if answer.status_code == 200:
        gateway.opened(answer).done()
    return answer.status_code == 200


def test_a_link_in_the_place_of_the_output_is_not_followed_when_it_is_sealed(
    gateway: Gateway, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    victim.chmod(0o644)
    job = Hostile(gateway, f"rm output; ln -s {victim} output")
    eventually(job.is_done)
    end_all(gateway, job.job_id)
    assert victim.stat().st_mode & 0o777 == 0o644
    assert victim.read_text(encoding="utf-8") == "mine"


def test_a_stream_ends_with_its_job_even_if_the_output_was_removed(gateway: Gateway) -> None:
    started = time.monotonic()
    stream = gateway.chat("line one", "forget", "line two", "result ok")
    messages = stream.messages()
    assert messages[:2] == [b"one", b"two"]
    # Not because of a heartbeat, which comes after 15 s.
    assert time.monotonic() - started < 10


def test_a_hole_in_the_output_keeps_neither_the_end_nor_a_client_busy(gateway: Gateway) -> None:
    stream = gateway.chat("line one", "shell truncate -s 300G /proc/$$/fd/1", "result ok")
    started = time.monotonic()
    messages = stream.messages()
    assert messages[0] == b"one"
    assert time.monotonic() - started < 10
    output = gateway.state / "jobs" / stream.job_id / "output"
    assert output.stat().st_size < 1 << 20


@pytest.mark.parametrize("folder", ["failures", "keys", "histories", "conversations", "."])
def test_a_job_that_holds_a_lock_blocks_no_worker(gateway: Gateway, folder: str) -> None:
    path = gateway.state / folder
    path.mkdir(exist_ok=True)
    job = Hostile(gateway, f"(flock {path} sleep 60 &)")
    eventually(lambda: _is_locked(path))
    started = time.monotonic()
    wrong = requests.get(f"{gateway.url}/processes", auth=("admin", "wrong"), timeout=PATIENCE)
    assert wrong.status_code in (401, 429)
    key = gateway.ask(
        "POST",
        "/chat",
        json={"prompt": "result ok", "cwd": "/"},
        headers={"Idempotency-Key": str(uuid4()), "Accept": "application/json"},
    )
    # Nothing was started, so the client may retry.
    assert key.status_code in (200, 503), key.text
    # It is held for a minute.
    assert time.monotonic() - started < 20
    serves(gateway)
    end_all(gateway, job.job_id)


def _is_locked(folder: Path) -> bool:
    try:
        with locked(folder, patience=0.0):
            return False
    except LockTimeout:
        return True


def test_the_launcher_ignores_jobs_and_waits_for_no_silent_connection(gateway: Gateway) -> None:
    before = gateway.launcher()
    sent = [
        b"",
        b"\n",
        b"{",
        b"[]\n",
        b'{"ask":"stay","generation":"abc"}\n',
        b'{"ask":"look","generation":"99999999999999999999.x"}\n',
        b'{"ask":"start","generation":"1.x","job":["x"],"continues":5}\n',
        b'{"ask":5,"generation":null}\n',
        b"[" * 10_000,
        os.urandom(1000),
    ]
    with contextlib.ExitStack() as stack:
        for each in sent * 5:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(PATIENCE)
            client.connect(str(gateway.state / "launcher"))
            with contextlib.suppress(OSError):
                client.sendall(each)
        serves(gateway)
    assert gateway.launcher() == before


def test_a_job_that_listens_in_the_launchers_place_gets_no_requests(gateway: Gateway) -> None:
    program = (
        "import os, socket, time; s = socket.socket(socket.AF_UNIX);"
        f"os.chdir({str(gateway.state)!r}); os.unlink('launcher'); s.bind('launcher');"
        "s.listen(); time.sleep(60)"
    )
    job = Hostile(gateway, f"({sys.executable} -I -S -c '{program.replace(chr(39), chr(34))}' &)")
    eventually(job.is_done)
    eventually(lambda: _starts(gateway))
    serves(gateway)
    end_all(gateway, job.job_id)


def test_a_working_directory_that_has_left_its_roots_is_not_used(
    start_gateway: Start, tmp_path: Path
) -> None:
    roots = tmp_path / "roots"
    (roots / "inside").mkdir(parents=True)
    place = roots / "place"
    place.mkdir()
    gateway = start_gateway(MAX_JOBS="1", CWD_ROOTS=str(roots))
    first = gateway.chat("line one", "silent", cwd=str(roots / "inside"))
    assert first.next().data == b"one"
    second = gateway.chat("shell pwd", "result ok", cwd=str(place))
    assert second.next().data == b"queued 1"
    place.rmdir()
    place.symlink_to("/etc")
    gateway.ask("DELETE", f"/chat/{first.job_id}")
    last = [event for event in second if event.name != ":"][-1]
    assert last.name == "error"
    assert "CWD_ROOTS" in json.loads(last.data)["error"]


def test_the_kernel_kills_a_job_before_the_gateway(gateway: Gateway) -> None:
    stream = gateway.chat("child", "silent")
    child = json.loads(stream.next().data)["child"]
    running = gateway.processes_of(stream.job_id)

    def score(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii"))

    own = score(running.supervisor.pid)
    assert score(running.cli.pid) == score(child) == min(1000, own + 500)
    assert gateway.process is not None
    assert own == score(gateway.process.pid)


def _attacks(gateway: Gateway) -> list[str]:
    """Shell commands of a hostile job, run in its folder."""
    own = [command.format(name) for name in FILES for command in PLACED.values()]
    shared = [
        f"cd {gateway.state}; {command.format(name)}"
        for name in (
            *("launcher", "login.json", "login.lock", "failures", "metrics", "unlogged"),
            *("unindexed", "index", "index/stamp", "index/jobs.sqlite", "keeper.lock"),
        )
        for command in PLACED.values()
    ]
    others = [
        "chmod 000 .",
        "rm -rf $PWD",
        f"rm -rf {_JOB}",
        f"chmod 000 {_JOB}",
        f"chmod 000 {gateway.state}/live",
        f"(flock {gateway.state}/keys sleep 3 &)",
        f"(flock {gateway.state}/failures sleep 3 &)",
        f"cd {gateway.state}/metrics; for f in *; do : > $f; done",
        f"cd {gateway.state}/metrics; mkfifo gauge_livesum_9.db counter_x.db",
        f"mkdir {gateway.state}/live/$(cat /proc/sys/kernel/random/uuid)",
        f": > {gateway.state}/unlogged/$(cat /proc/sys/kernel/random/uuid)",
        f"mkfifo {gateway.state}/live/$(cat /proc/sys/kernel/random/uuid)",
        "for n in $(seq 200); do : > file-$n; done",
        "yes | head -c 2000000 >&1",
    ]
    return [*own, *shared, *others]


@pytest.mark.timeout(180)
def test_a_hundred_attacks_under_load_do_not_affect_other_jobs(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(HEARTBEAT="1")
    chance = random.Random(20261126)  # noqa: S311 - not a secret
    deeds = [chance.choice(_attacks(gateway)) for _ in range(100)]
    innocent = [gateway.chat("chatter 400 0.02", "result ok") for _ in range(4)]
    slow: list[float] = []
    stopped = threading.Event()

    def watch_health() -> None:
        while not stopped.is_set():
            started = time.monotonic()
            assert gateway.ask("GET", "/health", auth=None).status_code in (200, 503)
            slow.append(time.monotonic() - started)
            # More often would be a load that hides the jobs'.
            stopped.wait(0.02)

    with ThreadPoolExecutor(6) as pool:
        watching = pool.submit(watch_health)
        reading = [pool.submit(stream.messages) for stream in innocent]
        hostile = []
        for deed in deeds:
            answer = None
            while answer is None or answer.status_code != 200:
                command = f'cd "$(dirname "$(readlink /proc/$$/fd/1)")"; {deed}'
                answer = gateway.post(f"shell {command}\nresult ok", timeout=20, detach=True)
            hostile.append(answer.headers["X-Process-ID"])
            answer.close()
        for lines in reading:
            assert len(lines.result()) == 401
        eventually(lambda: not _left(tuple(hostile)), patience=40)
        stopped.set()
        watching.result()
    # A pipe or a lock would hold one up for ever.
    assert max(slow) < 15
    eventually(lambda: _starts(gateway))
    serves(gateway)
    eventually(lambda: not gateway.running(), lambda: f"still there: {gateway.running()}")
    assert gateway.stop() == 0
    gateway.start()
    serves(gateway)


@pytest.mark.parametrize("levels", [101, 900, 2000])
def test_a_job_with_a_deeply_nested_result_line_ends_as_any_other(
    gateway: Gateway, levels: int
) -> None:
    deep = "[" * levels + "]" * levels
    line = f'{{"type":"result","is_error":false,"result":"x","usage":{deep}}}'
    done = gateway.chat(f"line {line}").done()
    # Python cannot parse 2000 levels.
    assert done["status"] == ("succeeded" if levels < 1000 else "failed")
    record = gateway.ask("GET", f"/jobs/{done['process_id']}").json()
    assert record["usage"] is None
    serves(gateway)


def test_a_result_line_of_other_types_changes_no_type_in_a_listing(gateway: Gateway) -> None:
    names = ("is_error", "total_cost_usd", "duration_ms", "num_turns", "usage", "session_id")
    for value in ('"x"', "true", "[1]", "{}", "1.5", "1" * 390):
        fields = ",".join(f'"{name}":{value}' for name in names)
        # Each response is compared with the OpenAPI document.
        gateway.chat(f'line {{"type":"result",{fields}}}').done()
    serves(gateway)
