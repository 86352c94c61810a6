"""The sessions that live processes of the CLI have open for a person."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.open_sessions import OpenSessions
from tests.support.gateway import Gateway
from tests.support.open_session import open_in_terminal

SESSION = "54eb236b-b0ff-442a-9ae3-2e06374f0602"


@pytest.mark.parametrize("entrypoint", ["cli", "claude-vscode"])
def test_a_session_of_a_live_process_is_open(tmp_path: Path, entrypoint: str) -> None:
    sessions = OpenSessions({"HOME": str(tmp_path)})
    assert not sessions.has(SESSION)
    file = open_in_terminal(tmp_path, SESSION, entrypoint=entrypoint)
    assert sessions.has(SESSION)
    assert not sessions.has(SESSION.replace("5", "6"))
    file.unlink()
    assert not sessions.has(SESSION)


@pytest.mark.parametrize(
    "changed",
    [
        {"procStart": "1"},
        {"procStart": None},
        {"pid": 0},
        {"pid": -1},
        {"pid": 1 << 70},
        {"pid": "1"},
        {"entrypoint": "sdk-cli"},
        {"entrypoint": None},
        {"sessionId": "another", "name": SESSION},
        {"name": "x" * (1 << 17)},
    ],
)
def test_what_shows_no_live_process_of_a_person_is_not_open(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    open_in_terminal(tmp_path, SESSION, **changed)
    assert not OpenSessions({"HOME": str(tmp_path)}).has(SESSION)


def test_the_folder_of_the_configuration_may_be_another_one(tmp_path: Path) -> None:
    file = open_in_terminal(tmp_path, SESSION)
    folder = str(file.parent.parent)
    assert OpenSessions({"HOME": "/", "CLAUDE_CONFIG_DIR": folder}).has(SESSION)


def test_what_is_no_file_of_the_cli_is_passed_over(tmp_path: Path) -> None:
    file = open_in_terminal(tmp_path, SESSION)
    file.with_name("1.json").write_text(f'["{SESSION}"]', encoding="ascii")
    file.with_name("2.json").mkdir()
    os.mkfifo(file.with_name("3.json"))
    assert OpenSessions({"HOME": str(tmp_path)}).has(SESSION)
    file.unlink()
    assert not OpenSessions({"HOME": str(tmp_path)}).has(SESSION)


def test_a_job_does_not_continue_what_a_terminal_has_open(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    file = open_in_terminal(gateway.home, SESSION)
    refused = gateway.post("result ok", session_id=SESSION)
    assert (refused.status_code, refused.json()["code"]) == (409, "session_in_use")
    assert "fork_session" in refused.json()["detail"]
    body = {"messages": [{"role": "user", "content": "result ok"}], "session_id": SESSION}
    completion = gateway.ask("POST", "/v1/chat/completions", json=body)
    assert (completion.status_code, completion.json()["error"]["code"]) == (409, "session_in_use")
    begun = gateway.post("result ok", new_session_id=SESSION)
    assert (begun.status_code, begun.json()["code"]) == (409, "session_exists")
    assert gateway.ask("GET", "/jobs").json()["jobs"] == []
    forked = gateway.chat("result ok", session_id=SESSION, fork_session=True)
    assert forked.done()["status"] == "succeeded"
    file.unlink()
    assert gateway.chat("result ok", session_id=SESSION).done()["status"] == "succeeded"
