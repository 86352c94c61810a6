"""A request that is repeated with its Idempotency-Key gets the same job."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app import processes
from app.jobs.idempotency import Key, Keys
from app.jobs.store import Spool
from app.records.job import Job
from app.records.job_records import JobRequest
from app.records.run import RunStart
from app.timestamps import now
from tests.support.gateway import Gateway, eventually
from tests.support.hostile import create_job
from tests.support.waiting import Start, begin, flag, post, stopped


def test_the_same_key_and_body_give_the_same_job(gateway: Gateway) -> None:
    key = str(uuid4())
    first = gateway.opened(post(gateway, key, "line a\nresult ok"))
    events = list(first)
    again = gateway.opened(post(gateway, key, "line a\nresult ok"))
    assert again.job_id == first.job_id
    assert list(again) == events
    answer = post(gateway, key, "line a\nresult ok", headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.json()["process_id"]) == (202, first.job_id)


def test_another_body_is_refused_and_starts_nothing(gateway: Gateway) -> None:
    key = str(uuid4())
    first = gateway.opened(post(gateway, key, "result ok"))
    first.done()
    before = len(list((gateway.state / "jobs").iterdir()))
    answer = post(gateway, key, "line b")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert len(list((gateway.state / "jobs").iterdir())) == before


def test_the_query_is_part_of_the_request(gateway: Gateway) -> None:
    headers = {"Content-Type": "text/plain", "Idempotency-Key": str(uuid4())}
    statuses = []
    for model in ("opus", "opus", "haiku"):
        query = {"cwd": str(gateway.project), "model": model}
        answer = gateway.ask("POST", "/chat", params=query, data=b"result ok", headers=headers)
        statuses.append(answer.status_code)
    assert statuses == [200, 200, 409]


def test_a_request_that_is_sent_many_times_at_once_starts_one_job(gateway: Gateway) -> None:
    key = str(uuid4())
    with ThreadPoolExecutor(12) as pool:
        streams = [
            gateway.opened(each)
            for each in pool.map(lambda _: post(gateway, key, "lines 9"), "x" * 12)
        ]
    assert len({stream.job_id for stream in streams}) == 1
    assert {len(stream.messages()) for stream in streams} == {9}


def test_a_job_with_a_key_outlives_its_client_which_finds_it_again(gateway: Gateway) -> None:
    key = str(uuid4())
    flag = gateway.folder / "kept"
    flag.unlink(missing_ok=True)
    prompt = f"line a\nawait {flag}\nline b\nresult ok"
    first = gateway.opened(post(gateway, key, prompt))
    first.next()
    first.close()
    again = gateway.opened(post(gateway, key, prompt))
    assert again.job_id == first.job_id
    flag.touch()
    assert again.messages()[:2] == [b"a", b"b"]


def test_keys_are_separate_per_user(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(API_KEYS="the-first-users-key,the-second-users-key")
    key = str(uuid4())
    streams = [
        gateway.opened(
            post(
                gateway,
                key,
                "result ok",
                auth=None,
                headers={"Authorization": f"Bearer the-{user}-users-key"},
            )
        )
        for user in ("first", "second", "first")
    ]
    ids = [stream.done()["process_id"] for stream in streams]
    assert ids[0] != ids[1]
    assert ids[0] == ids[2]


def test_the_key_is_free_again_when_the_job_is_no_longer_kept(gateway: Gateway) -> None:
    key = str(uuid4())
    first = gateway.opened(post(gateway, key, "result ok"))
    first.done()
    for path in (gateway.state / "jobs" / first.job_id).iterdir():
        path.unlink()
    (gateway.state / "jobs" / first.job_id).rmdir()
    second = gateway.opened(post(gateway, key, "line other"))
    assert second.job_id != first.job_id
    assert second.messages() == [b"other"]


def test_a_key_of_a_job_that_did_not_start_is_free(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(MAX_JOBS="1", QUEUE_SIZE="0")
    running = gateway.chat("line a", "silent")
    running.next()
    key = str(uuid4())
    assert post(gateway, key, "result ok").json()["code"] == "queue_full"
    running.close()
    eventually(lambda: not gateway.running())
    assert gateway.opened(post(gateway, key, "result ok")).done()["status"] == "succeeded"


def test_a_key_survives_a_restart(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    key = str(uuid4())
    first = gateway.opened(post(gateway, key, "result ok"))
    first.done()
    gateway.stop()
    gateway.start()
    assert gateway.opened(post(gateway, key, "result ok")).job_id == first.job_id


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "ü".encode(), "a\tb"])
def test_a_malformed_key_is_refused(gateway: Gateway, key: Any) -> None:
    answer = post(gateway, key, "result ok")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")


def test_keys_are_removed_with_their_jobs(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    gateway.opened(post(gateway, str(uuid4()), "result ok")).done()
    assert len(list((gateway.state / "keys").iterdir())) == 1
    spool = Spool(gateway.state)
    for job in spool.ended_before(time.time()):
        spool.remove(job)
    Keys(spool.state).forget_removed()
    assert not any((gateway.state / "keys").iterdir())


def test_a_refused_request_does_not_end_the_job_of_another_request_with_its_key(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(MAX_JOBS="1", QUEUE_SIZE="0")
    gate = flag(gateway, "gate")
    first = begin(gateway, f"await {gate}", "result ok")
    key = str(uuid4())
    prompt = "line b\nchatter 20 0.05\nresult ok"
    with ThreadPoolExecutor(2) as pool:
        with stopped(gateway.launcher()):
            refused = pool.submit(post, gateway, key, prompt)
            eventually(lambda: len(list((gateway.state / "live").iterdir())) == 2)
            time.sleep(0.2)
            gate.touch()
            assert first.done()["status"] == "succeeded"
            taken = pool.submit(post, gateway, key, prompt)
            time.sleep(0.5)
        first_answer = refused.result()
        if first_answer.status_code == 200:
            gateway.opened(first_answer)
        else:
            assert first_answer.json()["code"] == "queue_full"
        assert gateway.opened(taken.result()).done()["status"] == "succeeded"


@pytest.mark.parametrize("record", [{"job": 5}, {"other": "x"}, {"job": ["x"]}])
def test_a_damaged_key_counts_as_missing(gateway: Gateway, record: dict[str, object]) -> None:
    key = str(uuid4())
    gateway.opened(post(gateway, key, "result ok")).done()
    for path in (gateway.state / "keys").iterdir():
        path.write_text(json.dumps(record), encoding="utf-8")
    again = gateway.opened(post(gateway, key, "result ok"))
    assert again.done()["status"] == "succeeded"


def test_a_job_that_was_lost_before_its_start_is_started_by_the_repeat(gateway: Gateway) -> None:
    key = str(uuid4())
    spool = Spool(gateway.state)
    # As a worker leaves it that dies before it has asked for the start.
    left = subprocess.Popen(["true"])
    starter = processes.child(left.pid)
    left.wait()
    job = create_job(spool, starter)
    first = gateway.opened(post(gateway, key, "result ok"))
    assert first.done()["status"] == "succeeded"
    keys = (gateway.state / "keys").iterdir()
    (record,) = (each for each in keys if first.job_id in each.read_text())
    record.write_text(record.read_text().replace(first.job_id, job.id), encoding="utf-8")
    eventually(lambda: gateway.running() == [])
    assert job.end() is not None
    again = gateway.opened(post(gateway, key, "result ok"))
    assert again.done()["status"] == "succeeded"
    assert again.job_id not in (first.job_id, job.id)
    # From now on it is the one of the key.
    assert gateway.opened(post(gateway, key, "result ok")).job_id == again.job_id


def test_a_damaged_key_does_not_prevent_the_removal_of_others(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "damaged").write_text('{"other": 1}', encoding="utf-8")
    (tmp_path / "keys" / "old").write_text('{"job": "gone", "request": ""}', encoding="utf-8")
    Keys(str(tmp_path)).forget_removed()
    assert not any((tmp_path / "keys").iterdir())


def test_a_key_that_is_used_again_is_not_removed_with_its_old_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    keys, key = Keys(spool.state), Key("key", "request")

    def create() -> Job:
        job = Job(spool.state, str(uuid4()))
        starter = processes.this_process()
        request = JobRequest(job.id, "/", None, None, now(), "admin", starter)
        job.create(request, RunStart("/", [], 1.0), b"", {})
        return job

    old, _ = keys.find_or_create("admin", key, create)
    spool.remove(old)
    unlink = os.unlink
    taken: list[Job] = []
    another = threading.Thread(
        target=lambda: taken.append(keys.find_or_create("admin", key, create)[0])
    )

    def slowly(name: str, **named: int) -> None:
        another.start()
        another.join(0.5)
        unlink(name, **named)

    monkeypatch.setattr(os, "unlink", slowly)
    keys.forget_removed()
    another.join()
    again, is_new = keys.find_or_create("admin", key, create)
    assert (again.id, is_new) == (taken[0].id, False)
