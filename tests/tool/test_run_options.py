"""The options of `claudecode2api run`, and what the CLI receives of them."""

import json
from typing import Any

import pytest

from tests.support.gateway import Gateway, eventually
from tests.support.tool import Tool

SESSION = "f9645fec-cdad-4505-8f73-2b22a415a890"
OTHER = "0a0fbb04-e4bb-49bf-8a3c-1bd1a4a53e40"


def received(tool: Tool, *options: str) -> list[str]:
    """The CLI's arguments."""
    done = tool.run("run", "--raw", *options, "arguments")
    arguments: list[str] = json.loads(done.stdout)["argv"]
    return arguments


def job_of(output: bytes) -> dict[str, Any]:
    """The job's record, as `--json` prints it."""
    record: dict[str, Any] = json.loads(output)
    return record


def test_the_permission_mode_and_the_allowed_tools_reach_the_cli(tool: Tool) -> None:
    options = [
        "--permission-mode",
        "plan",
        "--allowed-tools",
        "Read,Edit",
        "--allowed-tools=Bash(a b)",
    ]
    argv = received(tool, *options)
    assert "--permission-mode=plan" in argv
    assert argv[argv.index("--allowed-tools=Read,Edit") + 1] == "--allowed-tools=Bash(a b)"


def test_pieces_of_the_answer_are_requested_where_its_text_is_shown(tool: Tool) -> None:
    flag = "--include-partial-messages"
    assert flag not in received(tool)
    shown = tool.run("run", "arguments").stderr.decode().split()[-1]
    hidden = job_of(tool.run("run", "--json", "arguments").stdout)["process_id"]
    for job_id, is_wanted in ((shown, True), (hidden, False)):
        output = tool.run("logs", "--raw", job_id).stdout
        assert (flag in json.loads(output)["argv"]) is is_wanted


def test_json_is_the_record_of_the_job_alone(gateway: Gateway, tool: Tool) -> None:
    line = '{"type":"result","is_error":false,"result":"\\u009b ünï\\u007f \\ud800"}'
    done = tool.run("run", "--json", f"say Hello\nline {line}")
    assert (done.returncode, done.stderr[:9]) == (0, b"succeeded")
    assert done.stdout.isascii() and b"\x7f" not in done.stdout
    record = job_of(done.stdout)
    assert record["status"] == "succeeded"
    assert record == gateway.ask("GET", f"/jobs/{record['process_id']}").json()
    assert record["result"].startswith("\u009b ünï\x7f ")


def test_json_of_a_job_that_fails_is_its_record_too(tool: Tool) -> None:
    done = tool.run("run", "--json", "exit 3")
    assert done.returncode == 1
    assert job_of(done.stdout)["exit_code"] == 3


def test_a_detached_job_goes_on_by_itself(gateway: Gateway, tool: Tool) -> None:
    flag = tool.folder / "flag"
    done = tool.run("run", "--detach", f"await {flag}\nsay Hello\nresult ok")
    job_id = done.stdout.decode().strip()
    assert done.returncode == 0
    assert done.stderr.decode() == (
        f"the job has started: claudecode2api logs --follow {job_id[:8]}\n"
    )
    assert [row["process_id"] for row in gateway.running()] == [job_id]
    flag.touch()
    assert tool.run("logs", "--follow", job_id[:8]).stdout == b"Hello\n"


def test_a_detached_job_can_be_shown_as_json(gateway: Gateway, tool: Tool) -> None:
    record = job_of(tool.run("run", "--detach", "--json", "silent").stdout)
    assert (record["detached"], record["status"] in ("queued", "running")) == (True, True)
    gateway.ask("DELETE", f"/chat/{record['process_id']}")


@pytest.mark.parametrize(
    "options",
    [
        ["--raw", "--json"],
        ["--raw", "--detach"],
        ["--continue", "--session", SESSION],
        ["--contin"],
        ["--timeout", "soon"],
    ],
)
def test_options_that_do_not_go_together_start_nothing(
    gateway: Gateway, tool: Tool, options: list[str]
) -> None:
    before = {*(gateway.state / "jobs").iterdir()}
    done = tool.run("run", *options, "hello")
    assert (done.returncode, done.stdout) == (2, b"")
    assert {*(gateway.state / "jobs").iterdir()} == before


def test_continue_goes_on_with_the_latest_session_of_this_folder(
    gateway: Gateway, tool: Tool
) -> None:
    elsewhere = tool.folder / "elsewhere"
    elsewhere.mkdir()
    link = tool.folder / "link"
    link.symlink_to(tool.project)
    tool.run("run", f"system {OTHER}\nresult ok")
    # Of another folder, and one without a session.
    tool.run("run", "--cwd", str(link), f"system {SESSION}\nexit 1")
    tool.run("run", "--cwd", str(elsewhere), f"system {OTHER}\nexit 1")
    tool.run("run", "exit 1")
    assert f"--resume={SESSION}" in received(tool, "--cwd", str(link), "--continue")
    assert f"--resume={SESSION}" in received(tool, "-c")


def test_continue_goes_on_with_a_session_that_runs(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat(f"system {SESSION}", "silent", cwd=str(tool.project))
    eventually(lambda: gateway.running()[0]["session_id"] == SESSION)
    with tool.start("run", "--continue", "say a\nresult ok") as run:
        assert run.stderr is not None
        assert run.stderr.readline() == b"queued 1 (another job is using this session)\n"
        gateway.ask("DELETE", f"/chat/{stream.job_id}")
        assert run.communicate()[0] == b"a\n"


def test_continue_without_a_session_says_so(tool: Tool) -> None:
    done = tool.run("run", "--continue", "hello")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"cannot continue: admin has no session in ")
