"""The end of a job, with the real CLI: what runs in the background, what is cut short."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import model_api
from tests.support.gateway import Gateway, Stream, alive, eventually, running_gateway
from tests.support.real_cli import fields_of, without_network

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

#: What differs between two runs of the same script: ids, times, paths, costs of time.
_VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(toolu|msg)_\d+"
    r"|\ba[0-9a-f]{16}\b|\b[a-z0-9]{9}\b|\b0mw[-\w]+|\d{4}-\d\d-\d\dT[\d:.]+Z"
    r"|/tmp/\S*?/(claude-\d+|cc-socks/\d+)|(?<=: )\s*\d+s\b"
)
_SCRIPTS = {
    "text": "hello",
    "tool": "bash: echo tool-$((40 + 2))",
    "failure": "fail: 400 invalid_request_error no",
    "command": "/cost",
}


def background(seconds: float) -> str:
    """A prompt with which the model leaves a command in the background."""
    command = f"python3 -c 'import time; time.sleep({seconds})'"
    given = {"command": command, "description": "wait", "run_in_background": True}
    return f"call: Bash {json.dumps(given)}"


def agent(seconds: float) -> str:
    """A prompt with which the model starts an agent that takes so long."""
    given = {"description": "wait", "prompt": f"wait: {seconds}"}
    return f"call: Agent {json.dumps({**given, 'subagent_type': 'general-purpose'})}"


@pytest.mark.parametrize("script", _SCRIPTS)
def test_a_plain_job_prints_what_the_cli_alone_prints(
    real: Gateway, claude: Path, model: model_api.Server, tmp_path: Path, script: str
) -> None:
    prompt = _SCRIPTS[script]
    streamed = real.chat(prompt).messages()
    (tmp_path / "home").mkdir()
    line = {"type": "user", "message": {"role": "user", "content": prompt}}
    alone = subprocess.run(
        [
            claude,
            *("--print", "--output-format=stream-json", "--input-format=stream-json", "--verbose"),
            *("--model=sonnet", '--settings={"crossSessionInbound":"refuse"}'),
            "--dangerously-skip-permissions",
        ],
        input=json.dumps(line).encode() + b"\n",
        capture_output=True,
        cwd=real.project,
        env={
            **without_network(model),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(tmp_path / "home"),
            "ANTHROPIC_API_KEY": "dummy",
            "CLAUDE_CODE_TMPDIR": str(tmp_path),
        },
        timeout=60,
        check=False,
    )
    printed = alone.stdout.splitlines()
    assert len(streamed) == len(printed)
    for ours, own in zip(streamed, printed, strict=True):
        assert _shape(json.loads(ours)) == _shape(json.loads(own))


def _shape(value: Any, name: str = "") -> Any:
    """A line without what differs each time: keys in order, and all other values."""
    if isinstance(value, dict):
        return [(key, _shape(below, key)) for key, below in value.items()]
    if isinstance(value, list):
        return [_shape(below, name) for below in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        varies = name.endswith(("_ms", "_time")) or "cost" in name.lower()
        return "number" if varies else value
    if isinstance(value, str):
        if name.lower().endswith(("path", "_file", "auto", "uuid", "id")):
            return "name"
        return _VARYING.sub("…", value)
    return value


def test_a_server_in_the_background_does_not_keep_a_job(real: Gateway) -> None:
    done = real.chat(background(300), background_wait=1).done()
    assert (done["status"], done["reason"]) == ("succeeded", None)
    (task,) = done["background"]
    assert (task["description"], task["status"]) == ("wait", "stopped")


def test_an_answer_that_is_there_is_not_timed_out(real: Gateway) -> None:
    done = real.chat(background(300), timeout=10, background_wait=60).done()
    assert done["status"] == "succeeded"


def test_a_command_that_ends_wakes_the_model_and_both_answers_are_the_result(real: Gateway) -> None:
    # It goes on until after the first answer.
    stream = real.chat(background(5), background_wait=30)
    lines = stream.messages()
    results = fields_of(lines, "result")
    assert len(results) == 2
    record = real.ask("GET", f"/jobs/{stream.job_id}?wait=20", timeout=30).json()
    assert record["status"] == "succeeded"
    assert [task["status"] for task in record["background"]] == ["completed"]
    assert record["result"] == "\n\n".join(result["result"] for result in results)


def test_an_agent_is_waited_for(real: Gateway) -> None:
    done = real.chat(agent(2)).done()
    assert done["status"] == "succeeded"
    assert [task["status"] for task in done["background"]] == ["completed"]


@pytest.mark.parametrize("fields", [{}, {"keep_alive": 60}], ids=["plain", "kept"])
def test_an_agent_that_is_cut_short_is_no_success(
    claude: Path, model: model_api.Server, tmp_path: Path, fields: dict[str, Any]
) -> None:
    settings = {**without_network(model), "ANTHROPIC_API_KEY": "dummy"}
    settings["CLAUDE_CODE_PRINT_BG_WAIT_CEILING_MS"] = "1000"
    with running_gateway(tmp_path, claude, **settings) as gateway:
        limit = {"timeout": 10} if fields else {}
        done = gateway.chat(agent(30), **fields, **limit).done()
    assert (done["status"], done["reason"]) == ("failed", "background_stopped")
    assert [task["status"] for task in done["background"]] == ["stopped"]


def test_a_kept_run_keeps_its_commands(real: Gateway) -> None:
    first = real.chat(background(60), keep_alive=60).done()
    assert [task["status"] for task in first["background"]] == ["running"]
    second = real.chat("hello", keep_alive=60, session_id=first["session_id"]).done()
    assert second["run_id"] == first["run_id"]
    assert second["status"] == "succeeded"


def test_a_clear_moves_the_session_and_the_run_goes_with_it(real: Gateway) -> None:
    first = real.chat("hello", keep_alive=60).done()
    second = real.chat("/clear", keep_alive=60, session_id=first["session_id"]).done()
    assert second["status"] == "succeeded"
    assert second["session_id"] != first["session_id"]
    third = real.chat("hello", keep_alive=60, session_id=second["session_id"]).done()
    assert (third["status"], third["run_id"]) == ("succeeded", first["run_id"])


def test_an_error_of_the_models_api_ends_the_turn_and_not_the_run(real: Gateway) -> None:
    first = real.chat("hello", keep_alive=60).done()
    failed = real.chat(
        "fail: 400 invalid_request_error no", keep_alive=60, session_id=first["session_id"]
    ).done()
    assert (failed["status"], failed["reason"]) == ("failed", "api_error")
    third = real.chat("hello", keep_alive=60, session_id=first["session_id"]).done()
    assert (third["status"], third["run_id"]) == ("succeeded", first["run_id"])


def test_an_interrupted_turn_leaves_a_usable_run(real: Gateway) -> None:
    first = real.chat("hello", keep_alive=60).done()
    stream = real.chat("slow: 200 0.1", keep_alive=60, session_id=first["session_id"])
    _await_line(stream, "init")
    stream.close()
    record = real.ask("GET", f"/jobs/{stream.job_id}?wait=20", timeout=30).json()
    assert record["status"] == "cancelled"
    third = real.chat("hello", keep_alive=60, session_id=first["session_id"]).done()
    assert (third["status"], third["run_id"]) == ("succeeded", first["run_id"])


def test_a_cancelled_tool_of_a_kept_run_is_gone(real: Gateway) -> None:
    flag = real.folder / "pid"
    stream = real.chat(f"bash: echo $$ > {flag}; exec python3 -m http.server 0", keep_alive=60)
    eventually(lambda: flag.exists() and flag.read_text(encoding="ascii").strip())
    pid = int(flag.read_text(encoding="ascii"))
    flag.unlink()
    assert real.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
    assert not alive(pid)


def _await_line(stream: Stream, part: str) -> None:
    next(event for event in stream if part in event.data[:200].decode())
