"""A job that does its worst to STATE_DIR, which is its user's too, harms itself alone."""

import contextlib
import errno
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from app import processes
from app.jobs.store import Spool
from app.processes import MARK, Process
from app.records.job import Job, JobEnd, JobRequest, Running, now
from app.runs.close_lost import close_lost, is_dead
from app.state import files
from app.state.lock import LockTimeout, locked
from app.state.process_lock import acquire
from tests.support.gateway import PATIENCE, Gateway, eventually

Start = Callable[..., Gateway]

#: What can be put in the place of a file.
PLACED = {
    "nothing": "rm -rf {0}",
    "a pipe": "rm -rf {0}; mkfifo {0}",
    "a folder": "rm -rf {0}; mkdir -p {0}/inside",
    "a link": "rm -rf {0}; ln -s /etc/hostname {0}",
    "a link to nothing": "rm -rf {0}; ln -s /nowhere/at/all {0}",
    "an empty file": "rm -rf {0}; : > {0}",
    "zeros": "rm -rf {0}; head -c 100 /dev/zero > {0}",
    "other JSON": 'rm -rf {0}; echo \'{{"rows":5,"status":7,"job":[],"supervisor":"x"}}\' > {0}',
    "a huge hole": "rm -rf {0}; truncate -s 300G {0}",
    "no rights": "chmod 000 {0}",
}
#: The files of a job.
FILES = ("output", "input", "job.json", "running", "ended", "errors", "claim", "temporary")
#: What all jobs share.
SHARED = ("queue", "launcher", "launcher.lock", "gateway.lock", "login.json", "live", "untold")


class Hostile:
    """A job that runs shell commands in its own folder, and then waits to be ended."""

    def __init__(self, gateway: Gateway, command: str) -> None:
        self._flag = gateway.folder / f"flag-{uuid4()}"
        here = 'cd "$(dirname "$(readlink /proc/$$/fd/1)")"'
        line = f"shell {here}; {command}; touch {self._flag}"
        self.stream = gateway.chat(line, "silent", detach=True)
        self.job_id = self.stream.job_id

    def is_done(self) -> bool:
        """Whether it has run its commands, or was ended because its folder is no more."""
        return self._flag.exists() or not processes.marked(self.job_id)


def serves(gateway: Gateway) -> None:
    """What all share answers as ever, and another job runs."""
    assert gateway.chat("line one", "result ok").done()["status"] == "succeeded"
    for path in ("/health", "/ready", "/processes", "/jobs", "/stats", "/metrics"):
        begun = time.monotonic()
        answer = gateway.ask("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        assert time.monotonic() - begun < 5, path


def end_all(gateway: Gateway, *job_ids: str) -> None:
    """Cancel these jobs, and wait until nothing of them is left.

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
        "chmod 000 .",
        "rm -rf $PWD",
        "mv $PWD $PWD.away; mkdir $PWD",
        f"mv $PWD $PWD.away; ln -s {gateway.state}/jobs/{one.job_id} $PWD",
        "mv $PWD $PWD.away; : > $PWD",
    )
    hostile = [Hostile(gateway, command) for command in commands]
    eventually(lambda: all(job.is_done() for job in hostile))
    serves(gateway)
    end_all(gateway, *(job.job_id for job in hostile))
    serves(gateway)
    assert [row["process_id"] for row in gateway.running()] == [one.job_id]
    gateway.ask("DELETE", f"/chat/{one.job_id}")
    assert one.done()["status"] == "cancelled"


@pytest.mark.parametrize("name", SHARED)
def test_what_is_put_in_the_place_of_what_all_share_is_mended(
    start_gateway: Start, name: str
) -> None:
    gateway = start_gateway(WORKERS="1")
    one = gateway.chat("line of another", "silent")
    assert one.next().data == b"of another"
    for what in ("nothing", "a pipe", "a folder", "a link", "zeros", "no rights"):
        command = PLACED[what].format(name)
        job = Hostile(gateway, f"cd {gateway.state}; {command}")
        eventually(job.is_done)
        # What is asked before it is mended may have to be asked again.
        eventually(lambda: _starts(gateway), lambda: f"no job starts\n{gateway.log()}")
        serves(gateway)
        if gateway.ask("DELETE", f"/chat/{job.job_id}").status_code != 404:
            eventually(lambda job=job: not processes.marked(job.job_id))  # type: ignore[misc]
    assert one.job_id in [row["process_id"] for row in gateway.running()]
    gateway.ask("DELETE", f"/chat/{one.job_id}")
    assert one.done()["status"] == "cancelled"
    assert gateway.stop() == 0
    gateway.start()
    serves(gateway)


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


def test_a_stream_ends_with_its_job_also_when_the_output_was_removed(gateway: Gateway) -> None:
    begun = time.monotonic()
    stream = gateway.chat("line one", "forget", "line two", "result ok")
    messages = stream.messages()
    assert messages[:2] == [b"one", b"two"]
    # Not by a heartbeat, which comes after 15 s.
    assert time.monotonic() - begun < 10


def test_a_hole_in_the_output_keeps_neither_the_end_nor_a_client_busy(gateway: Gateway) -> None:
    stream = gateway.chat("line one", "shell truncate -s 300G /proc/$$/fd/1", "result ok")
    begun = time.monotonic()
    messages = stream.messages()
    assert messages[0] == b"one"
    assert time.monotonic() - begun < 10
    output = gateway.state / "jobs" / stream.job_id / "output"
    assert output.stat().st_size < 1 << 20


@pytest.mark.parametrize("folder", ["failures", "keys", "histories", "conversations", "."])
def test_a_job_that_holds_a_lock_holds_up_no_worker(gateway: Gateway, folder: str) -> None:
    path = gateway.state / folder
    path.mkdir(exist_ok=True)
    job = Hostile(gateway, f"(flock {path} sleep 60 &)")
    eventually(lambda: _is_locked(path))
    begun = time.monotonic()
    wrong = requests.get(f"{gateway.url}/processes", auth=("admin", "wrong"), timeout=PATIENCE)
    assert wrong.status_code in (401, 429)
    key = gateway.ask(
        "POST",
        "/chat",
        json={"prompt": "result ok", "cwd": "/"},
        headers={"Idempotency-Key": str(uuid4()), "Accept": "application/json"},
    )
    # Nothing was done, so the client may come back.
    assert key.status_code in (200, 503), key.text
    assert time.monotonic() - begun < 10
    serves(gateway)
    end_all(gateway, job.job_id)


def _is_locked(folder: Path) -> bool:
    try:
        with locked(folder, patience=0.0):
            return False
    except LockTimeout:
        return True


def test_a_lock_is_given_up_after_its_patience(tmp_path: Path) -> None:
    with locked(tmp_path):
        begun = time.monotonic()
        with pytest.raises(LockTimeout), locked(tmp_path, patience=0.1):
            pytest.fail("two hold it")
        assert time.monotonic() - begun < 5
    with locked(tmp_path, patience=0.0):
        pass


def test_the_launcher_hears_no_job_and_waits_for_no_silent_connection(gateway: Gateway) -> None:
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


def test_a_job_that_listens_in_the_launchers_place_is_asked_for_nothing(gateway: Gateway) -> None:
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


def test_a_start_takes_its_lock_from_a_job_and_not_from_another_gateway(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import fcntl, os, sys, time; f = open(sys.argv[1], 'w');"
        "fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); time.sleep(60)"
    )

    def holder(**environment: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-S", "-c", program, path]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert started.stdout is not None
        started.stdout.readline()
        return started

    for environment, is_a_job in (({}, False), ({MARK: str(uuid4())}, True)):
        with holder(**environment) as started:
            lock = acquire(str(path))
            assert (lock is not None) is is_a_job
            if lock is not None:
                os.close(lock)
            started.kill()


def test_an_error_of_looking_is_no_proof_that_a_process_has_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    job = _a_job(spool)
    job.set_running(
        Running(processes.this_process(), processes.this_process(), processes.boot_id())
    )
    assert not is_dead(job)
    looked = os.open

    def no_descriptor(path: object, *arguments: object, **named: object) -> int:
        if str(path).startswith("/proc/"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return looked(path, *arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_descriptor)
        for look in (
            lambda: is_dead(job),
            lambda: processes.identify(os.getpid()),
            lambda: processes.open_process(processes.child(os.getppid())),
            lambda: processes.descendants(1),
        ):
            with pytest.raises(OSError, match="Too many open files"):
                look()
    assert not is_dead(job)


def _a_job(spool: Spool, starter: Process | None = None) -> Job:
    job = Job(spool.state, str(uuid4()))
    starter = starter or processes.this_process()
    job.create(JobRequest(job.id, "/", None, None, now(), "admin", [], 1.0, starter), b"", {})
    return job


def test_a_claimed_job_is_dead_when_its_claimer_is_and_not_by_any_clock(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    job = _a_job(spool, Process(1 << 30, 1))
    os.close(job.claim("supervisor"))
    # Of a file system whose clock is far behind.
    os.utime(job.errors, (0, 0))
    assert not is_dead(job)
    Path(job.claim_link).unlink()
    Path(job.claim_link).symlink_to(f"supervisor {1 << 30} 1 {processes.boot_id()}")
    assert is_dead(job)
    assert close_lost(job)
    assert job.end() is not None


def test_a_job_whose_end_is_damaged_is_closed_as_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    for damage in ("", "{", "[]", '{"status": 5, "ended_at": 7}', '{"status": "fine"}'):
        job = _a_job(spool)
        os.close(job.claim("supervisor"))
        Path(job.path, "ended").write_text(damage, encoding="utf-8")
        assert is_dead(job)
        assert close_lost(job)
        ended = job.end()
        assert ended is not None
        assert ended.status == "lost"


def test_a_folder_from_before_a_power_cut_starts(start_gateway: Start) -> None:
    gateway = start_gateway()
    kept = [gateway.chat("line one", "result ok") for _ in range(4)]
    for stream in kept:
        stream.done()
    assert gateway.stop() == 0
    jobs = [gateway.state / "jobs" / stream.job_id for stream in kept]
    (jobs[0] / "ended").write_bytes(b"")
    (jobs[1] / "job.json").write_bytes(b"\0" * 300)
    (jobs[2] / "output").unlink()
    (jobs[2] / "output").write_bytes(b"")
    for name in ("login.json", "queue"):
        (gateway.state / name).write_bytes(b"")
    for folder in ("keys", "failures", "conversations", "histories", "untold", "live"):
        (gateway.state / folder).mkdir(exist_ok=True)
        (gateway.state / folder / "x").write_bytes(b"\0" * 100)
        (gateway.state / folder / str(uuid4())).write_bytes(b"")
    for file in (gateway.state / "metrics").iterdir():
        file.write_bytes(b"\0\1" * 100)
    gateway.start()
    serves(gateway)
    statuses = {
        row["process_id"]: row["status"] for row in gateway.ask("GET", "/jobs").json()["jobs"]
    }
    assert statuses[kept[0].job_id] == "lost"
    assert statuses[kept[3].job_id] == "succeeded"
    assert kept[1].job_id not in statuses
    complaints = [line for line in gateway.log().splitlines() if str(jobs[1]) in line]
    assert len([line for line in complaints if "it counts as missing" in line]) <= 3
    eventually(lambda: not (gateway.state / "live" / "x").exists())


def test_a_record_can_still_be_read_once_an_interrupt_was_asked_for(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    job = _a_job(spool)
    job.ask_to_cancel(gently=True)
    # The supervisor reads the CLI's input, also as an ordinary user.
    os.close(files.open_file(job.input))
    assert Path(job.input).stat().st_mode & 0o400
    assert job.take_interrupt()
    assert not job.take_interrupt()


def test_a_working_directory_that_leads_out_of_its_roots_by_now_is_not_entered(
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


def test_the_kernel_is_offered_a_job_before_the_gateway(gateway: Gateway) -> None:
    stream = gateway.chat("child", "silent")
    child = json.loads(stream.next().data)["child"]
    running = gateway.record(stream.job_id, "running")

    def score(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii"))

    own = score(running["supervisor"][0])
    assert score(running["cli"][0]) == score(child) == min(1000, own + 500)
    assert gateway.process is not None
    assert own == score(gateway.process.pid)


def test_the_state_folder_itself_may_be_a_link(start_gateway: Start, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    gateway = start_gateway(MAX_JOBS="1")
    first = gateway.chat("line one", "silent")
    assert first.next().data == b"one"
    second = gateway.chat("line two", "result ok")
    assert second.next().data == b"queued 1"
    gateway.ask("DELETE", f"/chat/{first.job_id}")
    assert second.done()["status"] == "succeeded"
    assert gateway.ask("GET", "/health").json()["status"] == "ok"
    serves(gateway)


def test_listings_survive_any_record(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - not a secret
    spool = Spool(tmp_path)
    spool.prepare()
    values = [None, True, -1, 1 << 80, 1e308, "x", "\ud800", [], {}, [1], {"a": []}, "2026-01-01"]
    names = [*JobRequest._fields, *JobEnd._fields]
    for _ in range(100):
        job = _a_job(spool)
        for name, kind in (("job.json", JobRequest), ("ended", JobEnd), ("running", Running)):
            fields = {each: chance.choice(values) for each in chance.sample(names, 12)}
            fields |= {each: chance.choice(values) for each in kind._fields}
            Path(job.path, name).write_text(json.dumps(fields), encoding="utf-8")
        job.request()
        job.end()
        job.running()
        is_dead(job)


def _attacks(gateway: Gateway) -> list[str]:
    """What a hostile job may do, as shell commands run in its own folder."""
    own = [command.format(name) for name in FILES for command in PLACED.values()]
    shared = [
        f"cd {gateway.state}; {command.format(name)}"
        for name in ("launcher", "login.json", "login.lock", "failures", "metrics", "untold")
        for command in PLACED.values()
    ]
    others = [
        "chmod 000 .",
        "rm -rf $PWD",
        f"chmod 000 {gateway.state}/live",
        f"(flock {gateway.state}/keys sleep 3 &)",
        f"(flock {gateway.state}/failures sleep 3 &)",
        f"cd {gateway.state}/metrics; for f in *; do : > $f; done",
        f"cd {gateway.state}/metrics; mkfifo gauge_livesum_9.db counter_x.db",
        f"mkdir {gateway.state}/live/$(cat /proc/sys/kernel/random/uuid)",
        f": > {gateway.state}/untold/$(cat /proc/sys/kernel/random/uuid)",
        f"mkfifo {gateway.state}/live/$(cat /proc/sys/kernel/random/uuid)",
        "for n in $(seq 200); do : > file-$n; done",
        "yes | head -c 2000000 >&1",
    ]
    return [*own, *shared, *others]


def test_a_hundred_hostile_deeds_under_load_change_nothing_for_the_others(
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
            begun = time.monotonic()
            assert gateway.ask("GET", "/health", auth=None).status_code in (200, 503)
            slow.append(time.monotonic() - begun)

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
    assert max(slow) < 5
    eventually(lambda: _starts(gateway))
    serves(gateway)
    eventually(lambda: not gateway.running(), lambda: f"still there: {gateway.running()}")
    assert gateway.stop() == 0
    gateway.start()
    serves(gateway)


@pytest.mark.parametrize("levels", [101, 900, 2000])
def test_a_result_line_of_many_levels_ends_as_any_other(gateway: Gateway, levels: int) -> None:
    deep = "[" * levels + "]" * levels
    line = f'{{"type":"result","is_error":false,"result":"x","usage":{deep}}}'
    done = gateway.chat(f"line {line}").done()
    # Python reads no 2000 levels.
    assert done["status"] == ("succeeded" if levels < 1000 else "failed")
    record = gateway.ask("GET", f"/jobs/{done['process_id']}").json()
    assert record["usage"] is None
    serves(gateway)


def test_a_result_line_of_other_types_changes_no_type_in_a_listing(gateway: Gateway) -> None:
    names = ("is_error", "total_cost_usd", "duration_ms", "num_turns", "usage", "session_id")
    for value in ('"x"', "true", "[1]", "{}", "1.5", "1" * 390):
        fields = ",".join(f'"{name}":{value}' for name in names)
        # Each answer is held to the document.
        gateway.chat(f'line {{"type":"result",{fields}}}').done()
    serves(gateway)


def test_a_gateway_starts_whatever_is_in_the_place_of_a_folder(start_gateway: Start) -> None:
    gateway = start_gateway(WORKERS="1")
    names = ("conversations", "histories", "workspaces", "metrics", "users")

    def put(what: str) -> None:
        for name in names:
            # What was there before may be a link, whose rights cannot be taken.
            command = PLACED[what].format(gateway.state / name)
            subprocess.run(["sh", "-c", f"{command} 2>&1"], stdout=subprocess.DEVNULL, check=False)

    for what in ("a pipe", "a link to nothing", "no rights"):
        assert gateway.stop() == 0
        put(what)
        gateway.start()
        serves(gateway)
        put(what)
        for method, path, named in (
            ("POST", "/v1/conversations", {"json": {}}),
            ("GET", "/v1/conversations", {}),
            ("POST", "/api/claude", {"json": {"prompt": "result ok"}}),
        ):
            answer = gateway.ask(method, path, **named)
            assert answer.status_code == 200, (what, path, answer.text)


def test_the_folders_of_keys_and_of_sessions_are_mended_when_they_are_needed(
    gateway: Gateway,
) -> None:
    messages = [{"role": "user", "content": "say x\nresult ok"}]
    for what in ("nothing", "a pipe", "a link to nothing"):
        for name in ("keys", "sessions"):
            command = PLACED[what].format(gateway.state / name)
            subprocess.run(["sh", "-c", command], check=True)
        for path, body in (
            ("/chat", {"prompt": "result ok", "cwd": "/"}),
            ("/v1/chat/completions", {"messages": messages}),
        ):
            headers = {"Idempotency-Key": str(uuid4())}
            answer = gateway.ask("POST", path, json=body, headers=headers)
            assert answer.status_code == 200, (what, path, answer.text)
    serves(gateway)
