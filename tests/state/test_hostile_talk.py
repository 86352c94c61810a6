"""A job that damages the records of questions, kept runs and messages harms only itself."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from app.records import kept_run
from tests.support.gateway import Gateway, eventually
from tests.support.talk import ASK, answered, asking, send_message

PLACED: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": lambda path: (path / "inside").mkdir(parents=True),
    "a link to zeros": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("/nowhere/at/all"),
    "a hole": lambda path: os.truncate(_written(path, ""), 1 << 30),
    "no rights": lambda path: _written(path, "{}").chmod(0),
    "broken JSON": lambda path: _written(path, '{"id": '),
    "other JSON": lambda path: _written(path, '{"id": 5, "state": [], "content": 7}'),
    "deep JSON": lambda path: _written(path, "[" * 200_000),
}


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def ask(gateway: Gateway, method: str, path: str, *statuses: int) -> None:
    """A request that gets one of these statuses, and soon."""
    begun = time.monotonic()
    response = gateway.ask(method, path)
    assert response.status_code in statuses, (method, path, response.text)
    # A pipe would hold it up for ever.
    assert time.monotonic() - begun < 15, (method, path)


@pytest.fixture
def talking(gateway: Gateway) -> Gateway:
    """The shared gateway, once it knows that its CLI stays for further turns."""
    eventually(lambda: "turns" in (gateway.ask("GET", "/health").json()["capabilities"] or []))
    return gateway


@pytest.mark.parametrize("what", PLACED)
def test_the_lists_of_runs_and_questions_leave_out_what_a_job_puts_there(
    talking: Gateway, what: str
) -> None:
    state = talking.state
    stream, question = asking(talking, ASK, "line after", keep_alive=60)
    end = talking.chat("line one", keep_alive=60).done()
    names = [f"kept/{uuid4()}", "kept/x", f"questions/{uuid4()}.{uuid4()}", "questions/x"]
    names.append(f"questions/{stream.job_id}.{uuid4()}")
    placed = [state / name for name in names]
    for path in placed:
        PLACED[what](path)
    try:
        ask(talking, "GET", "/runs", 200)
        ask(talking, "GET", "/questions", 200)
        ask(talking, "GET", f"/jobs/{stream.job_id}/questions", 200)
        ask(talking, "DELETE", f"/runs/{placed[0].name}", 404)
        runs = {row["run_id"] for row in talking.ask("GET", "/runs").json()["runs"]}
        assert runs >= {stream.job_id, end["run_id"]}
        listed = talking.ask("GET", "/questions?wait=1").json()["questions"]
        assert [each["question_id"] for each in listed] == [question["question_id"]]
        ask(talking, "DELETE", f"/runs/{end['run_id']}", 200)
        assert answered(talking, question).status_code == 200
        assert stream.done()["status"] == "succeeded"
    finally:
        for path in placed:
            _remove(path)


def test_a_record_under_another_runs_name_is_no_run(talking: Gateway) -> None:
    end = talking.chat("line one", keep_alive=60).done()
    folder = talking.state / kept_run.FOLDER
    other = folder / str(uuid4())
    other.write_bytes((folder / end["run_id"]).read_bytes())
    ask(talking, "DELETE", f"/runs/{other.name}", 404)
    rows = talking.ask("GET", "/runs").json()["runs"]
    assert other.name not in [row["run_id"] for row in rows]
    other.unlink()
    ask(talking, "DELETE", f"/runs/{end['run_id']}", 200)


@pytest.mark.parametrize("what", PLACED)
def test_what_a_job_puts_into_its_own_inbox_is_passed_over(talking: Gateway, what: str) -> None:
    stream, question = asking(talking, ASK, "line after", keep_alive=60)
    job = talking.state / "jobs" / stream.job_id
    names = [f"{kind}.{uuid4()}" for kind in ("message", "control", "answer", "other")]
    for path in [*(job / "inbox" / name for name in names), job / "inbox/x"]:
        PLACED[what](path)
    for folder in ("questions", "states"):
        PLACED[what](job / folder / str(uuid4()))
    assert send_message(talking, stream.job_id, "line said").status_code == 202
    ask(talking, "GET", f"/jobs/{stream.job_id}/questions", 200)
    ask(talking, "GET", f"/jobs/{stream.job_id}", 200)
    ask(talking, "GET", "/questions", 200)
    assert answered(talking, question).status_code == 200
    done = stream.done()
    assert done["status"] == "succeeded"
    ask(talking, "GET", f"/jobs/{stream.job_id}", 200)
    assert talking.chat("line two", keep_alive=60, session_id=done["session_id"]).done()[
        "status"
    ] == ("succeeded")


@pytest.mark.parametrize("folder", ["inbox", "questions", "states"])
@pytest.mark.parametrize("what", ["a pipe", "a folder", "a link to nothing", "other JSON"])
def test_a_job_without_its_folders_can_still_be_ended(
    talking: Gateway, what: str, folder: str
) -> None:
    stream, question = asking(talking, ASK, "line after", keep_alive=60)
    path = talking.state / "jobs" / stream.job_id / folder
    shutil.rmtree(path)
    PLACED[what](path)
    for request in ("/questions", f"/jobs/{stream.job_id}/questions", f"/jobs/{stream.job_id}"):
        ask(talking, "GET", request, 200)
    assert send_message(talking, stream.job_id, "line said").status_code in (202, 409)
    assert answered(talking, question).status_code in (200, 404, 409)
    ask(talking, "DELETE", f"/chat/{stream.job_id}", 200, 404)
    assert stream.done()["status"] in ("cancelled", "succeeded")


def test_an_answer_of_the_job_itself_is_one_like_any_other(talking: Gateway) -> None:
    stream, question = asking(talking, ASK, "line after")
    inbox = talking.state / "jobs" / stream.job_id / "inbox"
    _written(inbox / f"answer.{question['question_id']}", json.dumps({"behavior": "maybe"}))
    assert answered(talking, question).status_code == 409
    ask(talking, "DELETE", f"/chat/{stream.job_id}", 200)
    assert stream.done()["status"] == "cancelled"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
