"""A gateway starts and serves, whatever state its STATE_DIR is in."""

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from app.jobs.store import Spool
from app.records.job_records import JobEnd, JobRequest
from app.records.run import RunExit, RunStart
from app.runs.detect_dead import is_dead
from tests.support.gateway import Gateway, eventually, kill_all, marked_in
from tests.support.hostile import PLACED, Start, create_job, serves


def test_a_gateway_starts_after_a_power_cut(start_gateway: Start) -> None:
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
    for folder in (
        "keys",
        "failures",
        "conversations",
        "histories",
        "responses",
        "unlogged",
        "live",
    ):
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
    warnings = [line for line in gateway.log().splitlines() if str(jobs[1]) in line]
    assert len([line for line in warnings if "it counts as missing" in line]) <= 3
    eventually(lambda: not (gateway.state / "live" / "x").exists())


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
    kinds = (JobRequest, JobEnd, RunStart, RunExit)
    names = [name for kind in kinds for name in kind._fields]
    for _ in range(100):
        job = create_job(spool)
        folders = (job.path, job.path, job.run.path, job.run.path)
        records = ("job.json", "ended", "start.json", "exited")
        for folder, name, kind in zip(folders, records, kinds, strict=True):
            fields = {each: chance.choice(values) for each in chance.sample(names, 12)}
            fields |= {each: chance.choice(values) for each in kind._fields}
            Path(folder, name).write_text(json.dumps(fields), encoding="utf-8")
        Path(job.run.path, "running").symlink_to(" ".join(map(repr, chance.sample(values, 5))))
        job.request()
        job.end()
        job.run.start()
        job.run.exit()
        job.run.running()
        is_dead(job)


def test_a_gateway_starts_with_anything_in_the_place_of_a_folder(start_gateway: Start) -> None:
    gateway = start_gateway(WORKERS="1")
    names = ("conversations", "histories", "responses", "workspaces", "metrics", "users")

    def put(what: str) -> None:
        for name in names:
            # It may be a link already, whose mode cannot be changed.
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


def test_a_damaged_job_does_not_prevent_a_start(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    streams = [gateway.chat("line a", "silent") for _ in range(4)]
    for stream in streams:
        stream.next()
    assert gateway.process is not None
    supervisors = [gateway.processes_of(each.job_id).supervisor.pid for each in streams]
    kill_all(gateway.process.pid, *gateway.workers(), *supervisors)
    gateway.process.wait()
    jobs = [gateway.state / "jobs" / stream.job_id for stream in streams]
    (jobs[0] / "job.json").write_bytes(b"")
    (gateway.state / "runs" / streams[1].job_id / "running").unlink()
    (gateway.state / "runs" / streams[1].job_id / "running").write_bytes(b"{")
    (jobs[1] / "claim").unlink()
    (jobs[2] / "ended").write_bytes(b"")
    (jobs[3] / "output").unlink()
    gateway.start()
    assert gateway.running() == []
    assert not marked_in(gateway.state)
