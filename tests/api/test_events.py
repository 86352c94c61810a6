"""`GET /events`: what changes, as it happens."""

import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.records import event_journal
from tests.support.event_stream import EventStream
from tests.support.gateway import Gateway, eventually
from tests.support.talk import answered, asking
from tests.support.two_users import ALICE, BOB, KEYS, by, chat
from tests.support.waiting import stopped

Start = Callable[..., Gateway]


def test_a_job_is_followed_from_its_start_to_its_end(gateway: Gateway) -> None:
    with EventStream(gateway) as stream:
        job = gateway.chat("silent", title="Watched")
        running = stream.until("job", process_id=job.job_id, status="running")
        assert running["title"] == "Watched"
        run = stream.until("run", run_id=job.job_id, process_id=job.job_id)
        assert run["state"] in ("starting", "busy")
        gateway.ask("DELETE", f"/chat/{job.job_id}")
        ended = stream.until("job", process_id=job.job_id, status="cancelled")
        listed = gateway.ask("GET", "/jobs?short=true&limit=1").json()["jobs"][0]
        assert ended == listed
        assert stream.until("run", run_id=job.job_id)["state"] == "ended"


def test_a_question_is_shown_with_its_job_and_its_answer(gateway: Gateway) -> None:
    with EventStream(gateway) as stream:
        job, question = asking(gateway)
        assert stream.until("question", process_id=job.job_id) == question
        assert stream.until("job", process_id=job.job_id, open_questions=1)["status"] == "running"
        answered(gateway, question)
        closed = stream.until("question_closed", process_id=job.job_id)
        assert closed == {
            **{"question_id": question["question_id"], "process_id": job.job_id},
            **{"behavior": "allow", "user": "admin"},
        }
        job.done()
        stream.until("job", process_id=job.job_id, status="succeeded", open_questions=0)


def test_a_queued_job_is_shown(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    first = gateway.chat("silent")
    with EventStream(gateway) as stream:
        second = gateway.chat("result ok")
        stream.until("job", process_id=second.job_id, status="queued")
        gateway.ask("DELETE", f"/chat/{first.job_id}")
        stream.until("job", process_id=second.job_id, status="succeeded")


def test_a_job_is_shown_as_queued_however_late_it_comes_into_the_queue(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    gateway.chat("silent")
    with EventStream(gateway) as stream, ThreadPoolExecutor(1) as pool:
        with stopped(gateway.launcher()):
            starting = pool.submit(gateway.chat, "result ok", title="Late")
            stream.until("job", title="Late", status="running")
        stream.until("job", title="Late", status="queued")
        starting.result()


def test_a_kept_run_is_shown_until_it_has_ended(gateway: Gateway) -> None:
    with EventStream(gateway) as stream:
        run_id = gateway.chat("result ok", keep_alive=100, ask=True).done()["run_id"]
        assert stream.until("run", run_id=run_id, state="idle")["user"] == "admin"
        gateway.ask("DELETE", f"/runs/{run_id}")
        assert stream.until("run", run_id=run_id, state="ended")["process_id"] is None


def test_a_user_sees_what_is_theirs(start_gateway: Start) -> None:
    gateway = start_gateway(API_KEYS=KEYS)
    with EventStream(gateway, **by(BOB)) as stream, EventStream(gateway) as all_of_them:
        alices = chat(gateway, ALICE, "result ok").done()["process_id"]
        bobs = chat(gateway, BOB, "result ok").done()["process_id"]
        seen = []
        for change in stream:
            # The run of a job that has just ended serves none any more.
            seen.append(change.data.get("process_id") or change.data["run_id"])
            if change.name == "job" and change.data["status"] == "succeeded":
                break
        assert set(seen) == {bobs}
        all_of_them.until("job", process_id=alices, status="succeeded", user="alice")
        all_of_them.until("job", process_id=bobs, status="succeeded", user="bob")
    assert gateway.ask("GET", "/events", auth=None).status_code == 401


def test_a_client_resumes_at_any_worker_and_after_a_restart(start_gateway: Start) -> None:
    gateway = start_gateway()
    with EventStream(gateway) as stream:
        gateway.chat("result ok").done()
        stream.until("job", status="succeeded")
        last = stream.last_id
    missed = gateway.chat("result ok").done()["process_id"]
    gateway.kill_workers()
    with EventStream(gateway, last) as stream:
        assert not stream.is_reset
        stream.until("job", process_id=missed, status="succeeded")
        last = stream.last_id
    missed = gateway.chat("silent", detach=True).job_id
    assert gateway.stop() == 0
    gateway.start()
    with EventStream(gateway, last) as stream:
        assert not stream.is_reset
        stream.until("job", process_id=missed, status="cancelled")


def test_a_reload_ends_the_stream_in_order(start_gateway: Start) -> None:
    gateway = start_gateway()
    with EventStream(gateway) as stream:
        gateway.reload()
        # An end in mid-chunk would raise an error.
        assert list(stream) == []
        last = stream.last_id
    job = gateway.chat("result ok").done()["process_id"]
    with EventStream(gateway, last) as stream:
        stream.until("job", process_id=job, status="succeeded")


def test_the_end_of_a_lost_job_is_shown(start_gateway: Start) -> None:
    gateway = start_gateway()
    with EventStream(gateway) as stream:
        job, question = asking(gateway)
        stream.until("question", process_id=job.job_id)
        os.kill(gateway.processes_of(job.job_id).supervisor.pid, signal.SIGKILL)
        closed = stream.until("question_closed", process_id=job.job_id)
        assert (closed["question_id"], closed["behavior"]) == (question["question_id"], "lost")
        stream.until("job", process_id=job.job_id, status="lost", open_questions=0)


@pytest.mark.parametrize("after", ["rubbish", f"{'0' * 16}-25", "x" * 500])
def test_an_unknown_event_id_begins_with_a_reset(gateway: Gateway, after: str) -> None:
    with EventStream(gateway, after) as stream:
        if not stream.is_reset:
            stream.until("reset")
        job = gateway.chat("result ok").done()["process_id"]
        stream.until("job", process_id=job, status="succeeded")


DEEDS: dict[str, Callable[[Path], object]] = {
    "removed": lambda folder: (folder / "journal").unlink(),
    "the folder removed": shutil.rmtree,
    "emptied": lambda folder: (folder / "journal").write_bytes(b""),
    "rubbish": lambda folder: (folder / "journal").write_bytes(b"x" * 1000),
    "a huge hole": lambda folder: os.truncate(folder / "journal", 300 << 30),
    "a link": lambda folder: replaced(folder, lambda path: path.symlink_to("/etc/passwd")),
    "a pipe": lambda folder: replaced(folder, os.mkfifo),
    "a folder": lambda folder: replaced(folder, Path.mkdir),
    "unreadable": lambda folder: (folder / "journal").chmod(0),
}


def replaced(folder: Path, make: Callable[[Path], object]) -> None:
    """Put something in the journal's place."""
    (folder / "journal").unlink()
    make(folder / "journal")


@pytest.mark.parametrize("deed", DEEDS)
def test_a_job_that_damages_the_journal_disturbs_no_job(start_gateway: Start, deed: str) -> None:
    gateway = start_gateway()
    with EventStream(gateway) as stream:
        gateway.chat("result ok").done()
        stream.until("job", status="succeeded")
        DEEDS[deed](gateway.state / event_journal.FOLDER)
        gateway.chat("result ok").done()
        if deed != "unreadable":
            stream.until("reset")
        job = gateway.chat("result ok").done()["process_id"]
        stream.until("job", process_id=job, status="succeeded")


def test_a_client_that_does_not_read_holds_up_no_other(start_gateway: Start) -> None:
    gateway = start_gateway(WORKERS="1")
    with EventStream(gateway) as idle, EventStream(gateway) as stream:
        for _ in range(5):
            job = gateway.chat("result ok", title="x" * 200).done()["process_id"]
            stream.until("job", process_id=job, status="succeeded")
        idle.until("job", process_id=job, status="succeeded")
    eventually(lambda: gateway.ask("GET", "/health").status_code == 200)
