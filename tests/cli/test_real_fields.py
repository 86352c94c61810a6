"""The fields of a chat request, as the real CLI understands them."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.support import model_api
from tests.support.gateway import Gateway
from tests.support.real_cli import fields_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

#: A hook that shows in the stream, if it is asked for.
HOOKED = {
    "hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "echo hooked"}]}]},
    "env": {"FROM_PROJECT": "seen"},
}


def results(messages: list[bytes]) -> str:
    """The text of the last result."""
    return str(fields_of(messages, "result")[-1]["result"])


def test_the_cli_takes_the_fields_together(real: Gateway, model: model_api.Server) -> None:
    new = str(uuid4())
    fields: dict[str, Any] = {
        "max_turns": 5,
        "max_budget_usd": 0.5,
        "effort": "low",
        "betas": ["context-1m-2025-08-07"],
        "agent": "helper",
        "agents": {"helper": {"description": "helps", "prompt": "--you-help"}},
        "name": "-a name",
        "new_session_id": new,
        "setting_sources": ["user"],
        "include_partial_messages": True,
        "include_hook_events": True,
        "disable_slash_commands": True,
    }
    stream = real.chat("hello", **fields)
    messages = stream.messages()
    assert fields_of(messages, "system")[-1]["session_id"] == new
    assert fields_of(messages, "stream_event")
    assert fields_of(messages, "result")[-1]["is_error"] is False
    asked = next(each for each in reversed(model.asked) if "hello" in json.dumps(each["messages"]))
    assert "--you-help" in json.dumps(asked["system"])
    assert asked["output_config"]["effort"] == "low"


def test_variables_reach_the_tools_and_win_over_other_settings(real: Gateway) -> None:
    settings = json.dumps({"env": {"A": "settings", "B": "settings"}})
    command = "bash: printenv A B C FROM_FILE"
    value = "x'\"$(echo no)\\ ü"
    env = {"A": "field", "C": value}
    answer = results(real.chat(command, env=env, settings=settings).messages())
    assert json.dumps(f"field\nsettings\n{value}")[1:-1] in answer
    # As the path of a file: an `env` beside it is added to a copy.
    path = real.project / "its settings.json"
    path.write_text('{"env": {"FROM_FILE": "file", "A": "file"}}')
    answer = results(real.chat(command, env=env, settings=path.name).messages())
    assert json.dumps(f"field\n{value}\nfile")[1:-1] in answer
    assert "field" not in path.read_text()


def test_a_session_is_continued_after_one_of_its_messages(
    real: Gateway, model: model_api.Server
) -> None:
    session = str(uuid4())
    first = real.chat("the first", new_session_id=session).messages()
    real.chat("the second", session_id=session).done()
    answer = fields_of(first, "assistant")[-1]["uuid"]
    fields = {"session_id": session, "resume_session_at": answer, "fork_session": True}
    assert real.chat("the third", **fields).done()["status"] == "succeeded"
    asked = next(each for each in reversed(model.asked) if "the third" in json.dumps(each))
    answer = json.dumps(asked["messages"])
    assert "the first" in answer
    assert "the second" not in answer
    fields["resume_session_at"] = str(uuid4())
    done = real.chat("the fourth", **fields).done()
    assert done["status"] == "failed"
    assert "No message found" in done["error"]


def test_a_session_that_is_not_saved_cannot_be_continued(real: Gateway) -> None:
    session = str(uuid4())
    done = real.chat("hello", new_session_id=session, session_persistence=False).done()
    assert (done["status"], done["session_id"]) == ("succeeded", session)
    assert not list((real.home / ".claude/projects").glob(f"*/{session}.jsonl"))
    assert real.chat("hello", session_id=session).done()["status"] == "failed"


def test_settings_files_apply_only_if_they_are_wanted(real: Gateway) -> None:
    folder = real.folder / "with settings"
    (folder / ".claude").mkdir(parents=True)
    (folder / ".claude/settings.json").write_text(json.dumps(HOOKED))
    command = "bash: echo [$FROM_PROJECT]"
    wanted = real.chat(command, cwd=str(folder), include_hook_events=True).messages()
    assert "[seen]" in results(wanted)
    assert any("hook" in each["subtype"] for each in fields_of(wanted, "system"))
    for sources in ([], ["user", "local"]):
        left = real.chat(
            command, cwd=str(folder), include_hook_events=True, setting_sources=sources
        ).messages()
        assert "[]" in results(left)
        assert not any("hook" in each["subtype"] for each in fields_of(left, "system"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"max_turns": 1}, "max_turns"), ({"max_budget_usd": 1e-6}, "max_budget")],
)
def test_a_limit_ends_the_job_with_its_reason(
    real: Gateway, fields: dict[str, Any], reason: str
) -> None:
    done = real.chat("bash: echo hi", **fields).done()
    assert (done["status"], done["reason"]) == ("failed", reason)


def test_a_restricted_job_runs_no_commands_and_leaves_its_folder_alone(real: Gateway) -> None:
    outside = real.folder / "outside"
    write = {"file_path": str(outside), "content": "x"}
    messages = real.chat(f"call: Write {json.dumps(write)}", restricted=True).messages()
    (init, *_) = fields_of(messages, "system")
    assert not {"Bash", "WebFetch"} & set(init["tools"])
    assert init["permissionMode"] != "bypassPermissions"
    assert not outside.exists()
    inside = real.project / "inside"
    write["file_path"] = str(inside)
    fields = {"restricted": True, "permission_mode": "acceptEdits"}
    assert real.chat(f"call: Write {json.dumps(write)}", **fields).done()["status"] == "succeeded"
    assert inside.read_text() == "x"


def test_commands_of_the_cli_can_be_turned_off(real: Gateway) -> None:
    assert "Total duration" in results(real.chat("/cost").messages())
    off = real.chat("/cost", disable_slash_commands=True).messages()
    assert "Total duration" not in results(off)
