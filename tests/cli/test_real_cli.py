"""The real CLI, with a stand-in for the model's API."""

import json
import os
import random
import re
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.support import model_api
from tests.support.gateway import Gateway, alive, eventually, marked_in
from tests.support.real_cli import fields_of, without_network

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

#: Moments of a job's first second, by chance but always the same; the tests' names tell them.
MOMENTS = [round(chance.random(), 3) for chance in [random.Random(20)] for _ in range(20)]  # noqa: S311


def test_a_turn_with_a_tool(real: Gateway) -> None:
    stream = real.chat("bash: echo tool-$((40 + 2))")
    messages = stream.messages()
    (init, *_) = fields_of(messages, "system")
    assert init["subtype"] == "init"
    assert init["cwd"] == str(real.project)
    content = [
        block
        for line in fields_of(messages, "assistant") + fields_of(messages, "user")
        for block in line["message"]["content"]
    ]
    assert any(block["type"] == "tool_use" and block["name"] == "Bash" for block in content)
    assert any(block["type"] == "tool_result" and "tool-42" in str(block) for block in content)
    (result,) = fields_of(messages, "result")
    assert "tool-42" in result["result"]
    assert json.loads(messages[-1])["type"] == "result"


def test_done_agrees_with_the_result_line(real: Gateway) -> None:
    stream = real.chat("hello")
    events = list(stream)
    result = json.loads(events[-2].data)
    done = json.loads(events[-1].data)
    assert done["status"] == "succeeded"
    for name in ("session_id", "is_error", "total_cost_usd", "duration_ms"):
        assert done[name] == result[name]


def test_the_bytes_are_the_clis_own(real: Gateway) -> None:
    stream = real.chat("say ünïcödé \u2028 and \u0085")
    messages = stream.messages()
    output = (real.state / "jobs" / stream.job_id / "output").read_bytes()
    # Before that, a spare answers its claim.
    start = real.record(stream.job_id, "ended")["span_start"]
    assert b"\n".join(messages) + b"\n" == output[start:]


def test_a_session_is_continued_and_forked(real: Gateway) -> None:
    first = real.chat("remember this").done()["session_id"]
    again = real.chat("and now?", session_id=first).done()
    assert (again["status"], again["session_id"]) == ("succeeded", first)
    forked = real.chat("or so?", session_id=first, fork_session=True).done()
    assert forked["status"] == "succeeded"
    assert forked["session_id"] != first


def test_the_cli_takes_every_field(real: Gateway, model: model_api.Server, tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "model": "opus",
        "fallback_model": "haiku",
        "append_system_prompt": "--appended-to-the-system-prompt",
        "tools": ["Bash", "Read"],
        "allowed_tools": ["Bash(printenv *)", "Read"],
        "disallowed_tools": ["WebFetch", "Bash(rm -rf *)"],
        "permission_mode": "acceptEdits",
        "mcp_config": ['{"mcpServers":{}}'],
        "strict_mcp_config": True,
        "settings": '{"env":{"FROM_SETTINGS":"seen"}}',
        "add_dir": [str(tmp_path)],
        "plugin_dir": [str(tmp_path)],
        "debug": "api",
        "verbose": True,
        "agents": {"helper": {"description": "helps", "prompt": "You help."}},
    }
    messages = real.chat("bash: printenv FROM_SETTINGS", **fields).messages()
    (init, *_) = fields_of(messages, "system")
    assert "opus" in init["model"]
    assert init["permissionMode"] == "acceptEdits"
    assert set(init["tools"]) <= {"Bash", "Read"}
    assert "helper" in init["agents"]
    (result,) = fields_of(messages, "result")
    assert "seen" in result["result"]
    assert "--appended-to-the-system-prompt" in json.dumps(model.asked[-1]["system"])


def test_a_system_prompt_of_300_kb_and_a_schema(real: Gateway, model: model_api.Server) -> None:
    prompt = "-be brief " * 30_000
    schema = {"type": "object", "properties": {"n": {"type": "number"}}}
    messages = real.chat("hello", system_prompt=prompt, json_schema=schema, tools=[]).messages()
    assert fields_of(messages, "system")[0]["subtype"] == "init"
    assert any(prompt.strip() in json.dumps(asked.get("system")) for asked in model.asked)


def test_no_tools_means_none(real: Gateway) -> None:
    messages = real.chat("hello", tools=[]).messages()
    assert fields_of(messages, "system")[0]["tools"] == []


def test_a_tool_that_is_not_allowed_is_denied(real: Gateway) -> None:
    fields = {"allowed_tools": ["Read"], "permission_mode": "dontAsk"}
    (result,) = fields_of(real.chat("bash: touch made", **fields).messages(), "result")
    assert result["permission_denials"]
    assert not (real.project / "made").exists()


def test_an_allowed_tool_with_spaces_and_commas_runs(real: Gateway) -> None:
    fields = {"allowed_tools": ["Bash(touch *)", "Read"], "permission_mode": "dontAsk"}
    (result,) = fields_of(real.chat("bash: touch made", **fields).messages(), "result")
    assert result["permission_denials"] == []
    assert (real.project / "made").exists()


def test_a_prompt_of_1_mb_arrives_whole(real: Gateway, model: model_api.Server) -> None:
    text = "x" * 1_000_000
    assert real.chat(f"count {text}").done()["status"] == "succeeded"
    assert any(text in json.dumps(asked["messages"]) for asked in model.asked)


def test_a_prompt_beyond_the_models_context_is_reported_as_a_failure(real: Gateway) -> None:
    # The whole of it reaches the CLI, which refuses it in its own words.
    events = list(real.chat("x" * 11_000_000))
    assert json.loads(events[-2].data)["is_error"] is True
    assert json.loads(events[-1].data)["status"] == "failed"


def test_an_unknown_value_is_reported_as_a_failure_with_the_clis_words(real: Gateway) -> None:
    done = real.chat("hello", permission_mode="no-such-mode").done()
    assert done["status"] == "failed"
    assert "no-such-mode" in done["stderr"]


def test_a_cancelled_command_is_gone_and_the_result_still_arrives(real: Gateway) -> None:
    # After some SIGINTs the CLI ends without a result (2.1.330): then there is none to pass on.
    results = (_cancelled_command(real) for _ in range(6))
    assert any(kind == "result" for kind in results)


def _cancelled_command(real: Gateway) -> str:
    """The type of the last line of a job that was cancelled while a command ran."""
    pid_file = real.project / "pid"
    pid_file.unlink(missing_ok=True)
    stream = real.chat(f"bash: echo $$ > {pid_file}; exec sleep 1000")
    eventually(lambda: pid_file.exists() and pid_file.read_text().strip())
    answer = real.ask("DELETE", f"/chat/{stream.job_id}")
    assert answer.json()["status"] == "cancelled"
    assert not alive(int(pid_file.read_text()))
    assert not marked_in(real.state)
    events = list(stream)
    assert json.loads(events[-1].data)["status"] == "cancelled"
    lines = [event.data for event in events if event.name == "message"]
    assert lines == (real.state / "jobs" / stream.job_id / "output").read_bytes().splitlines()
    kind: str = json.loads(lines[-1])["type"]
    return kind


def test_a_daemon_of_a_tool_does_not_outlive_its_job(real: Gateway) -> None:
    pid_file = real.project / "daemon"
    pid_file.unlink(missing_ok=True)
    command = f"setsid -f sh -c 'echo $$ > {pid_file}; exec sleep 1000'"
    command += f"; until [ -s {pid_file} ]; do sleep 0.01; done"
    assert real.chat(f"bash: {command}").done()["status"] == "succeeded"
    assert not alive(int(pid_file.read_text()))
    assert not marked_in(real.state)


def test_hanging_up_while_the_cli_is_silent_ends_it(real: Gateway) -> None:
    stream = real.chat("wait: 60")
    stream.next()
    stream.close()
    # Long before it would say a word.
    eventually(lambda: not real.running() and not marked_in(real.state))
    assert real.record(stream.job_id, "ended")["status"] == "cancelled"


@pytest.mark.parametrize(("moment", "prompt"), list(zip(MOMENTS, cycle(["hello", "wait: 60"]))))
def test_a_cancelled_start_is_never_reported_as_success(
    real: Gateway, moment: float, prompt: str
) -> None:
    # One of the prompts is answered within that second, the other is not.
    stream = real.chat(prompt)
    time.sleep(moment)
    answer = real.ask("DELETE", f"/chat/{stream.job_id}")
    *messages, done = stream
    status = json.loads(done.data)["status"]
    assert not marked_in(real.state)
    if answer.status_code == 200:
        assert status == "cancelled"
    else:
        # It had ended, or was about to.
        assert (answer.status_code, status, prompt) == (404, "succeeded", "hello")
        result = json.loads(messages[-1].data)
        assert (result["type"], result["is_error"]) == ("result", False)


def test_health_knows_that_the_cli_is_logged_in(real: Gateway) -> None:
    eventually(lambda: real.ask("GET", "/health", auth=None).json()["logged_in"] is True)
    version = real.ask("GET", "/health", auth=None).json()["claude_version"]
    assert version.endswith("(Claude Code)")


def test_a_cli_that_is_not_logged_in_fails_with_its_own_words(
    claude: Path, model: model_api.Server, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(claude, **without_network(model))
    stream = gateway.chat("hello")
    events = list(stream)
    assert "Not logged in" in json.loads(events[-2].data)["result"]
    done = json.loads(events[-1].data)
    assert (done["status"], done["is_error"]) == ("failed", True)
    eventually(lambda: gateway.ask("GET", "/health", auth=None).json()["logged_in"] is False)


OTHER = re.compile(r"(project-[0-9a-f]+) \[[0-9a-f]{6}\]  ")


@pytest.mark.parametrize(
    ("settings", "arrives"),
    [
        (None, False),
        ('{"env": {"A": "1"}}', False),
        ("settings.json", False),
        # The proof that it would arrive.
        ('{"crossSessionInbound": "accept"}', True),
    ],
)
def test_no_job_can_put_a_message_into_the_conversation_of_another(
    real: Gateway, model: model_api.Server, tmp_path: Path, settings: str | None, arrives: bool
) -> None:
    (real.project / "settings.json").write_text('{"env": {"A": "1"}}')
    flag, marker = tmp_path / "flag", f"MARKER-{settings}"
    working = real.chat(f"bash: until [ -e {flag} ]; do sleep 0.1; done", settings=settings)
    next(event for event in working if b"task_started" in event.data)
    listed = b"".join(real.chat("call: ListAgents {}").messages()).decode()
    (other,) = set(OTHER.findall(listed))
    message = {"to": other, "message": marker, "summary": "a message"}
    sent = b"".join(real.chat(f"call: SendMessage {json.dumps(message)}").messages())
    assert b"success" in sent
    seen = len(model.asked)
    flag.touch()
    assert working.done()["status"] == "succeeded"
    received = json.dumps(model.asked[seen:])
    assert (json.dumps(marker)[1:-1] in received or marker in received) is arrives


def test_a_job_leaves_nothing_in_the_folder_for_temporary_files(real: Gateway) -> None:
    shared = Path("/tmp")  # noqa: S108
    stream = real.chat("bash: echo x >$TMPDIR/x; mktemp; (sleep 100 &) ; find $TMPDIR")
    output = b"".join(stream.messages()).decode()
    cli = real.processes_of(stream.job_id).cli.pid
    found = re.search(rf"{shared}/cc2-[0-9a-f]{{12}}", output)
    assert found is not None
    assert f"{found[0]}/cc-socks/{cli}.sock" in output
    # The end of a job waits only a moment for that.
    eventually(lambda: not Path(found[0]).exists())
    # Where the CLI would have it without a folder of its own.
    assert not (shared / f"cc-socks/{cli}.sock").exists()
    name = str(real.project).replace("/", "-").replace("_", "-")
    assert not (shared / f"claude-{os.geteuid()}" / name).exists()


#: Have the CLI say at once what it would try for minutes.
AT_ONCE = json.dumps({"env": {"CLAUDE_CODE_MAX_RETRIES": "0"}})
BLOCKING = json.dumps(
    {
        "hooks": {
            "UserPromptSubmit": [
                {"hooks": [{"type": "command", "command": "echo not here >&2; exit 2"}]}
            ]
        }
    }
)
UNKNOWN = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("prompt", "fields", "reason", "words"),
    [
        ("fail: 400 invalid_request_error bad thing", {}, "api_error", "API Error: 400 bad thing"),
        ("fail: 529 overloaded_error busy", {"settings": AT_ONCE}, "api_error", "529"),
        (
            "fail: 401 authentication_error invalid x-api-key",
            {"settings": AT_ONCE},
            "api_error",
            "API key",
        ),
        (
            "fail: 400 invalid_request_error prompt is too long: 300000 tokens > 200000 maximum",
            {},
            "prompt_too_long",
            "Prompt is too long",
        ),
        ("a secret prompt", {"settings": BLOCKING}, "blocked_by_hook", "not here"),
        ("hello", {"session_id": UNKNOWN}, None, f"session ID: {UNKNOWN}"),
        ("hello", {"permission_mode": "nonsense"}, None, "'nonsense' is invalid"),
    ],
)
def test_a_failure_has_the_clis_words(
    real: Gateway, prompt: str, fields: dict[str, Any], reason: str | None, words: str
) -> None:
    done = real.chat(prompt, **fields).done()
    assert (done["status"], done["reason"]) == ("failed", reason)
    assert words in done["error"]
    assert "secret" not in done["error"]


def test_who_is_not_logged_in_learns_it(
    claude: Path, model: model_api.Server, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(claude, **without_network(model))
    stream = gateway.chat("hello")
    done = stream.done()
    assert (done["status"], done["reason"]) == ("failed", "not_logged_in")
    assert done["error"].startswith("Not logged in")
    eventually(lambda: f"{stream.job_id} failed after" in gateway.log())
    assert "s: Not logged in" in gateway.log()


def test_a_slash_command_that_is_carried_out_succeeds(real: Gateway) -> None:
    done = real.chat("/cost").done()
    assert (done["status"], done["reason"]) == ("succeeded", None)


def test_the_pieces_of_an_answer_can_be_watched(real: Gateway) -> None:
    messages = real.chat("one two three", include_partial_messages=True).messages()
    events = [line["event"]["type"] for line in fields_of(messages, "stream_event")]
    assert events.count("content_block_delta") > 1
