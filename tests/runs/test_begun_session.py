"""The session that a CLI is to begin, if it has been begun already."""

import os
from pathlib import Path

import pytest

from app.runs.supervisor.begun_session import resumed_if_begun

SESSION = "0e6ff1f5-8bd7-4b9f-9d8c-6a0cf8f5a0f1"
BEGIN = f"--session-id={SESSION}"


@pytest.mark.parametrize("is_config", [False, True])
def test_a_session_that_has_messages_is_resumed(tmp_path: Path, is_config: bool) -> None:
    home = os.fsencode(tmp_path)
    environment = {b"HOME": home}
    if is_config:
        environment = {b"HOME": b"/nowhere", b"CLAUDE_CONFIG_DIR": home + b"/.claude"}
    arguments = ["--print", BEGIN]
    assert resumed_if_begun(arguments, environment, "/srv/x") == arguments
    transcript = tmp_path / ".claude/projects/-srv-x" / f"{SESSION}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.touch()
    resumed = ["--print", f"--resume={SESSION}"]
    assert resumed_if_begun(arguments, environment, "/srv/x") == resumed
    assert resumed_if_begun(arguments, environment, "/srv/y") == arguments
    for others in (["--print"], resumed, ["--resume=x", "--fork-session", BEGIN]):
        assert resumed_if_begun(others, environment, "/srv/x") == others


def test_a_folder_whose_name_is_shortened_is_left_alone() -> None:
    assert resumed_if_begun([BEGIN], {b"HOME": b"/"}, "/x" * 200) == [BEGIN]
