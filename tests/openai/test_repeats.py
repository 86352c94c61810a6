"""Requests of the chat APIs that a client's library sends again."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.support import model_api
from tests.support.completions import ANSWER, BEGIN, DELTA, ask, refused
from tests.support.gateway import Gateway, eventually
from tests.support.real_cli import openai_settings
from tests.support.talk import await_turns

COMPLETIONS = "/v1/chat/completions"
REPEAT = {"X-Stainless-Retry-Count": "1"}


@pytest.fixture
def patient(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway whose jobs outlive their clients."""
    return gateway_with(RETRY_GRACE="60")


def verbs(folder: Path, name: str) -> tuple[str, ...]:
    """A job that counts its starts, and answers when a flag is there."""
    count = f"shell echo x >> {folder / name}.count"
    return (count, f"await {folder / name}.go", BEGIN, DELTA, ANSWER)


def starts(folder: Path, name: str) -> int:
    """How often the job was started."""
    path = folder / f"{name}.count"
    return path.read_text().count("x") if path.exists() else 0


def leave(gateway: Gateway, body: dict[str, Any], path: str = COMPLETIONS) -> str:
    """Send a request, and leave once its job runs; returns the job's id."""

    def running() -> set[str]:
        return {row["process_id"] for row in gateway.running()}

    known = running()
    headers = {"Content-Type": "application/json", "Authorization": gateway.authorization}
    with closing(HTTPConnection("127.0.0.1", gateway.port)) as connection:
        # As requests writes it: a repeat has the same bytes.
        connection.request("POST", path, json.dumps(body, allow_nan=False), headers)
        (job,) = eventually(lambda: running() - known)
    # Its time for a repeat may be over already.
    eventually(lambda: list((gateway.state / "left").glob(f"*.{job}")) or job not in running())
    return job


def asking(said: Sequence[str]) -> dict[str, Any]:
    """The body of a completion, as `ask` sends it."""
    return {"messages": [{"role": "user", "content": "\n".join(said)}]}


@pytest.mark.parametrize("has_ended", [False, True])
@pytest.mark.parametrize("path", [COMPLETIONS, "/v1/messages"])
def test_a_repeat_joins_the_job_whose_client_left(
    patient: Gateway, tmp_path: Path, path: str, has_ended: bool
) -> None:
    said = verbs(tmp_path, "job")
    body = {**asking(said), "model": "sonnet", "max_tokens": 50, "claude": {"mode": "agent"}}
    job = leave(patient, body, path)
    (tmp_path / "job.go").touch()
    if has_ended:
        eventually(lambda: not patient.running())
    answer = patient.ask("POST", path, json=body, headers=REPEAT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Process-ID"] == job
    assert "llo" in answer.text
    assert answer.headers["X-Session-ID"]
    assert starts(tmp_path, "job") == 1
    # It is joined once.
    second = patient.ask("POST", path, json=body, headers=REPEAT)
    assert second.headers["X-Process-ID"] != job


def test_no_other_request_joins(patient: Gateway, tmp_path: Path) -> None:
    said = verbs(tmp_path, "job")
    job = leave(patient, asking(said))
    (tmp_path / "job.go").touch()
    eventually(lambda: not patient.running())
    first_try = ask(patient, *said)
    assert first_try.headers["X-Process-ID"] != job
    other_words = ask(patient, *said, "", headers=REPEAT)
    assert other_words.headers["X-Process-ID"] != job
    other_option = ask(patient, *said, headers={**REPEAT, "X-Claude-Workspace": "other"})
    assert other_option.headers["X-Process-ID"] != job
    streamed = ask(patient, *said, headers=REPEAT, stream=True)
    assert streamed.headers["X-Process-ID"] != job
    assert ask(patient, *said, headers=REPEAT).headers["X-Process-ID"] == job


def test_the_job_of_another_user_is_not_joined(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    key = "one-key-of-a-user-for-tests"
    gateway = start_gateway(RETRY_GRACE="60", API_KEYS=f"one:{key}")
    said = verbs(tmp_path, "job")
    job = leave(gateway, asking(said))
    (tmp_path / "job.go").touch()
    headers = {**REPEAT, "Authorization": f"Bearer {key}"}
    answer = ask(gateway, *said, headers=headers, auth=None)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Process-ID"] != job


def test_a_job_that_no_repeat_joins_is_cancelled(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway(RETRY_GRACE="1")
    said = verbs(tmp_path, "job")
    begun = time.monotonic()
    job = leave(gateway, asking(said))
    eventually(lambda: not gateway.running())
    assert time.monotonic() - begun >= 1
    assert gateway.ask("GET", f"/jobs/{job}").json()["status"] == "cancelled"
    assert not list((gateway.state / "left").iterdir())
    (tmp_path / "job.go").touch()
    later = ask(gateway, *said, headers=REPEAT)
    assert later.headers["X-Process-ID"] != job


def test_a_repeat_joins_after_all_workers_were_replaced(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway(RETRY_GRACE="60")
    said = verbs(tmp_path, "job")
    job = leave(gateway, asking(said))
    gateway.reload()
    (tmp_path / "job.go").touch()
    assert ask(gateway, *said, headers=REPEAT).headers["X-Process-ID"] == job
    assert starts(tmp_path, "job") == 1


def test_a_repeat_reports_what_the_job_failed_with(patient: Gateway, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    said = (f"await {flag}", "exit 3")
    job = leave(patient, asking(said))
    flag.touch()
    answer = ask(patient, *said, headers=REPEAT)
    assert refused(answer)[:2] == (424, "cli_failed")
    assert answer.headers["X-Process-ID"] == job


@pytest.mark.real
@pytest.mark.timeout(120)
def test_the_call_in_a_repeats_answer_has_a_run_that_waits(
    claude: Path, model: model_api.Server, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(claude, **{**openai_settings(model), "RETRY_GRACE": "60"})
    question = {"role": "user", "content": "call: weather {}"}
    tools = [{"type": "function", "function": {"name": "weather"}}]
    await_turns(gateway)
    with model.silent():
        job = leave(gateway, {"messages": [question], "tools": tools})
    eventually(lambda: not gateway.running())
    answer = ask(gateway, messages=[question], tools=tools, headers=REPEAT)
    assert answer.headers["X-Process-ID"] == job
    message = answer.json()["choices"][0]["message"]
    (call,) = message["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "sun"}
    second = ask(gateway, messages=[question, message, result], tools=tools)
    assert "sun" in second.text
    record = gateway.ask("GET", f"/jobs/{second.headers['X-Process-ID']}").json()
    assert record["run_id"] == job
