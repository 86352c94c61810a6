"""`claudecode2api run`, where the CLI has no login or does not reach the model's API."""

import json

from tests.support.gateway import Gateway
from tests.support.tool import Tool

TEXT = "Not logged in · Please run /login"
RESULT = {"type": "result", "subtype": "success", "is_error": True, "result": TEXT}
PROMPT = f"say {TEXT}\nline {json.dumps(RESULT)}\nexit 1"


def test_without_a_login_the_message_comes_once_with_one_line_that_helps(
    gateway: Gateway, tool: Tool
) -> None:
    done = tool.run("run", PROMPT)
    assert (done.returncode, done.stdout.decode()) == (1, f"{TEXT}\n")
    ended, help_ = done.stderr.decode().splitlines()
    assert ended.startswith("failed (not_logged_in), ")
    claude = gateway.environment["CLAUDE_PATH"]
    assert help_ == (
        f"to log in, run {claude} auth login, or set ANTHROPIC_API_KEY in {tool.env_file} and"
        f" reload: {tool.program} reload"
    )


def test_of_a_gateway_elsewhere_the_machine_is_named(gateway: Gateway, tool: Tool) -> None:
    done = tool.run("run", "--url", gateway.url, PROMPT)
    help_ = done.stderr.decode().splitlines()[-1]
    assert help_ == "log in to the CLI on the gateway's machine, or set ANTHROPIC_API_KEY there"


def test_another_message_than_the_answer_is_shown_too(tool: Tool) -> None:
    result = {**RESULT, "result": "It broke"}
    done = tool.run("run", f"say Hello\nline {json.dumps(result)}\nexit 1")
    assert done.stdout == b"Hello\n"
    assert done.stderr.decode().splitlines()[0] == "It broke"


def test_attempts_to_reach_the_api_are_shown(tool: Tool) -> None:
    retry = {"type": "system", "subtype": "api_retry", "attempt": 2, "error_status": None}
    done = tool.run("run", f"line {json.dumps(retry)}\nsay Hello\nresult ok")
    assert (done.returncode, done.stdout) == (0, b"Hello\n")
    shown = done.stderr.decode().splitlines()[0]
    assert shown == "the model's API cannot be reached; the CLI tries again (2)"
