"""Troubles of a turn: its supervisor fails, or the CLI does not respond."""

import itertools
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest

from app.jobs.store import Spool
from app.records import kept_run
from app.records.inbox import Answer, Inbox
from app.records.job import Job
from app.records.run import Run
from app.runs.supervisor.inbox_reader import ACKNOWLEDGE_PATIENCE, InboxReader
from app.runs.supervisor.open_questions import OpenQuestions
from app.runs.supervisor.talking_run import TalkingRun
from app.timestamps import now
from tests.support.cli_watch import CliWatch
from tests.support.gateway import Gateway, alive, eventually
from tests.support.hostile import create_job
from tests.support.talk import ASK, answered, asking, await_turns, send_message, texts_of
from tests.support.waiting import Start


def idle_run(gateway: Gateway, session: str) -> kept_run.KeptRun:
    """The run that is kept for a session."""
    end = gateway.chat("line first", keep_alive=60, new_session_id=session).done()
    found = kept_run.read(str(gateway.state), end["run_id"])
    assert found is not None
    return found


def test_a_turn_is_not_served_again_when_its_supervisor_fails(start_gateway: Start) -> None:
    gateway = start_gateway()
    await_turns(gateway)
    session = str(uuid4())
    run = idle_run(gateway, session)
    notes, gate = gateway.folder / "notes", gateway.folder / "gate"
    with CliWatch({session}):
        stream = gateway.chat(
            f"note {notes} once", f"await {gate}", keep_alive=60, session_id=session
        )
        eventually(notes.exists)
        # From now on, each file that it opens is an error.
        resource.prlimit(run.supervisor.pid, resource.RLIMIT_NOFILE, (3, 3))
        gate.touch()
        assert stream.done()["status"] == "lost"
        assert notes.read_text() == "once\n"
        after = gateway.chat("line after", keep_alive=60, session_id=session).done()
        assert after["status"] == "succeeded"
        assert after["run_id"] != run.id


def test_a_job_whose_start_was_never_answered_starts_later(start_gateway: Start) -> None:
    gateway = start_gateway()
    await_turns(gateway)
    session = str(uuid4())
    run = idle_run(gateway, session)
    running = Run(str(gateway.state), run.id).running()
    assert running is not None
    with CliWatch({session}), ThreadPoolExecutor(1) as pool:
        # It can neither take the worker's connection nor read the job.
        with few_descriptors(run.supervisor.pid):
            posted = pool.submit(gateway.chat, "line two", keep_alive=60, session_id=session)
            eventually(lambda: not alive(running.cli.pid))
        assert posted.result().done()["status"] == "succeeded"
    # It could not be removed while no file could be opened.
    (gateway.state / "kept" / run.id).unlink(missing_ok=True)


@contextmanager
def few_descriptors(pid: int) -> Iterator[None]:
    """Have a process fail to open files."""
    most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = {int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()}
    first = next(number for number in itertools.count() if number not in taken)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (first, most[1]))
    try:
        yield
    finally:
        # It may have exited meanwhile.
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, most)


def test_a_message_that_the_cli_does_not_acknowledge_is_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    job = create_job(spool)
    inbox = Inbox(job.path)
    inbox.create()
    ids = [str(uuid4()), str(uuid4())]
    for message_id in ids:
        inbox.put("message", message_id, {"content": "hi"})
    sent: list[bytes] = []
    run = cast(TalkingRun, SimpleNamespace(say=sent.append))
    moment = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: moment)
    reader = InboxReader(run, job, cast(OpenQuestions, None))
    reader.open()
    assert len(sent) == 2
    reader.on_lifecycle(ids[0], "queued")
    moment = ACKNOWLEDGE_PATIENCE + 1
    # One is acknowledged, and may take as long as it takes.
    assert reader.is_waiting
    reader.on_lifecycle(ids[0], "completed")
    assert not reader.is_waiting
    assert reader.close()
    reader.discard_rest()
    assert inbox.states() == {ids[0]: "completed", ids[1]: "discarded"}


def test_what_a_killed_worker_wrote_is_read_without_its_signal(gateway: Gateway) -> None:
    asks, question = asking(gateway)
    talks = gateway.chat("line first", f"await {gateway.folder / 'never'}", ask=True)
    plain = gateway.chat("line first", f"await {gateway.folder / 'never'}")
    for stream in (talks, plain):
        assert any(event.data == b"first" for event in stream)
    answer = Answer("allow", now(), updated_input={"command": "make"})
    state = str(gateway.state)
    Inbox(Job(state, asks.job_id).path).answer(question["question_id"], answer)
    for stream in (talks, plain):
        Job(state, stream.job_id).ask("cancel")
    assert asks.done()["status"] == "succeeded"
    assert talks.done()["status"] == "cancelled"
    assert plain.done()["status"] == "cancelled"


def test_a_message_on_a_full_disk_is_refused_whole(small_disk: Path, start_gateway: Start) -> None:
    gateway = start_gateway(STATE_DIR=str(small_disk), MIN_FREE_DISK="0")
    gateway.state = small_disk
    await_turns(gateway)
    stream, question = asking(gateway, ASK, keep_alive=60)
    folder = small_disk / "jobs" / stream.job_id
    # The worker notes how long that took.
    eventually((folder / "first_line").is_symlink)
    before = {path.relative_to(folder) for path in folder.rglob("*")}
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    for response in (
        send_message(gateway, stream.job_id, "line refused"),
        answered(gateway, question, "deny", message="Refused"),
    ):
        assert (response.status_code, response.json()["code"]) == (507, "insufficient_storage")
    assert {path.relative_to(folder) for path in folder.rglob("*")} == before
    filler.unlink()
    assert send_message(gateway, stream.job_id, "line said").status_code == 202
    assert answered(gateway, question).status_code == 200
    assert texts_of(stream) == ["said"]
    assert gateway.ask("GET", f"/jobs/{stream.job_id}").json()["status"] == "succeeded"
