"""`claudecode2api run`: a job from a terminal, whatever happens to the gateway meanwhile."""

import os
import pty
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.tool.events import Event
from app.tool.screen import Screen, Shown
from tests.support.gateway import PATIENCE, Gateway, eventually
from tests.support.terminal import read_all
from tests.support.tool import Tool, tool_of


def prompt(*verbs: str) -> str:
    """The prompt for the fake CLI."""
    return "\n".join(verbs)


def the_job(gateway: Gateway) -> str:
    """The id of the one job that runs."""
    eventually(lambda: len(gateway.running()) == 1)
    (row,) = gateway.running()
    return str(row["process_id"])


@contextmanager
def started(tool: Tool, *arguments: str, **named: Any) -> "Iterator[subprocess.Popen[bytes]]":
    """The command while it runs. It is killed at the end: otherwise a failure would hang."""
    with tool.start(*arguments, **named) as process:
        try:
            yield process
        finally:
            process.kill()


def output_of(gateway: Gateway, stderr: bytes) -> bytes:
    """What the CLI wrote, of the job that the command's last line names."""
    job_id = stderr.decode().rsplit("job ", 1)[1].strip()
    return (gateway.state / "jobs" / job_id / "output").read_bytes()


def test_the_answer_is_on_standard_output_and_its_end_on_standard_error(tool: Tool) -> None:
    done = tool.run("run", prompt("system s1", "say Hello", "say wörld\\n2", "result ok"))
    assert (done.returncode, done.stdout.decode()) == (0, "Hello\nwörld\n2\n")
    report = done.stderr.decode()
    assert report.startswith("succeeded, 0.0 s, $0.2500, session session-of-result, job ")


def test_the_result_counts_if_there_is_no_other_text(tool: Tool) -> None:
    line = '{"type":"result","is_error":false,"result":"all of it"}'
    assert tool.run("run", f"line {line}").stdout == b"all of it\n"


def test_what_subagents_say_is_no_part_of_the_answer(tool: Tool) -> None:
    content = '{"content":[{"type":"text","text":"inner"}]}'
    inner = f'{{"type":"assistant","parent_tool_use_id":"t1","message":{content}}}'
    done = tool.run("run", prompt(f"line {inner}", "say outer", "result ok"))
    assert done.stdout == b"outer\n"


def test_lines_of_any_shape_are_borne(tool: Tool) -> None:
    odd = [
        '{"type":"assistant"}',
        '{"type":"assistant","message":{"content":"x"}}',
        '{"type":"assistant","message":{"content":[1,{"type":"text"},{"type":"text","text":7}]}}',
        '["assistant"]',
        '"assistant" "result"',
    ]
    verbs = [f"line {line}" for line in odd]
    lone = "say \\ud800"
    done = tool.run("run", prompt(*verbs, "raw ff0a", lone, "say end", "result ok"))
    assert (done.returncode, done.stdout) == (0, b"?\nend\n")


def test_the_text_comes_before_the_job_ends(gateway: Gateway, tool: Tool) -> None:
    flag = tool.folder / "flag"
    with tool.start("run", prompt("say first", f"await {flag}", "say second", "result ok")) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"first\n"
        assert len(gateway.running()) == 1
        flag.touch()
        assert run.communicate()[0] == b"second\n"


def test_raw_lines_are_the_bytes_of_the_cli(gateway: Gateway, tool: Tool) -> None:
    odd = "a\rb\r\r\n\u2028c\x85d\xff\n".encode("latin-1", errors="replace") + b"\xff\xfe\n"
    done = tool.run(
        "run", "--raw", prompt(f"raw {odd.hex()}", "big 3000000", "line z", "result ok")
    )
    assert done.stdout == output_of(gateway, done.stderr)
    assert done.stdout.startswith(odd)


@pytest.mark.parametrize(
    ("verbs", "options", "status", "report"),
    [
        (["say a", "result error"], [], 1, "failed"),
        (["complain it broke", "exit 3"], [], 1, "it broke\nfailed"),
        (["die 9"], [], 1, "failed"),
        (["silent"], ["--timeout", "0.3"], 124, "timed out, job"),
    ],
)
def test_the_exit_status_shows_how_the_job_ended(
    tool: Tool, verbs: list[str], options: list[str], status: int, report: str
) -> None:
    done = tool.run("run", *options, prompt(*verbs))
    assert done.returncode == status
    assert report in done.stderr.decode()


def test_a_cancellation_by_another_client_has_a_status_of_its_own(
    gateway: Gateway, tool: Tool
) -> None:
    with tool.start("run", prompt("say a", "silent")) as run:
        gateway.ask("DELETE", f"/chat/{the_job(gateway)}")
        assert b"cancelled" in run.communicate()[1]
    assert run.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_job_and_its_last_words_are_shown(
    gateway: Gateway, tool: Tool, number: int
) -> None:
    with tool.start("run", "--raw", prompt("polite", "say a", "silent")) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.send_signal(number)
        last, notes = run.communicate()
    assert run.returncode == 130
    assert b'"result"' in last
    verb = b"interrupting" if number == signal.SIGINT else b"cancelling"
    assert notes.startswith(verb + b" the job; press Ctrl-C again to ")
    assert b"\ncancelled, 0.0 s, " in notes
    assert gateway.running() == []


def test_ctrl_c_interrupts_then_cancels_then_leaves_at_once(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    # The job does not end before the command does.
    gateway = start_gateway(KILL_GRACE="600")
    tool = tool_of(gateway, tmp_path / "checkout")
    with started(tool, "run", prompt("deaf", "say a", "silent")) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.readline()
        run.send_signal(signal.SIGINT)
        assert run.stderr.readline().startswith(b"interrupting the job")
        assert len(gateway.running()) == 1
        run.send_signal(signal.SIGINT)
        assert run.stderr.readline().startswith(b"cancelling the job")
        run.send_signal(signal.SIGINT)
        assert run.wait(PATIENCE) == 130
    os.kill(gateway.processes_of(the_job(gateway)).cli.pid, signal.SIGKILL)
    eventually(lambda: gateway.running() == [])


def test_a_job_that_cannot_be_interrupted_is_cancelled_by_the_second_ctrl_c(
    gateway: Gateway, tool: Tool
) -> None:
    with started(tool, "run", prompt("deaf", "say a", "silent")) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.readline()
        run.send_signal(signal.SIGINT)
        run.stderr.readline()
        run.send_signal(signal.SIGINT)
        assert run.wait(PATIENCE) == 130
        assert b"\ncancelled, job " in run.stderr.read()
    assert gateway.running() == []


def test_a_job_whose_reader_has_gone_is_ended(gateway: Gateway, tool: Tool) -> None:
    flag = tool.folder / "flag"
    with tool.start("run", prompt("say a", f"await {flag}", "say b", "silent")) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        flag.touch()
        assert run.stderr.read() == b""
    assert run.returncode == 1
    assert gateway.running() == []


@pytest.mark.parametrize("which", ["reload", "kill a worker"])
def test_no_line_is_lost_or_doubled_when_the_gateway_changes_under_it(
    start_gateway: Callable[..., Gateway], tmp_path: Path, which: str
) -> None:
    gateway = start_gateway()
    assert gateway.process is not None
    tool = tool_of(gateway, tmp_path / "checkout")
    flag = tmp_path / "flag"
    # Far more than fits into the buffers between, so that some of it is always on its way.
    verbs = ["lines 200000", "chatter 50 0.02", f"await {flag}", "lines 1000", "result ok"]
    with tool.start("run", "--raw", prompt(*verbs)) as run:
        assert run.stdout is not None
        seen = [run.stdout.readline()]
        reader = threading.Thread(target=lambda: seen.append(run.stdout.read()))
        for _ in range(2):
            before = gateway.workers()
            if which == "reload":
                gateway.process.send_signal(signal.SIGHUP)
            else:
                for worker in before:
                    os.kill(worker, signal.SIGKILL)
            if not reader.is_alive():
                reader.start()
            eventually(lambda: len(gateway.workers()) == 2 and not {*before} & {*gateway.workers()})  # noqa: B023
        flag.touch()
        assert run.wait(50) == 0
        reader.join()
        assert run.stderr is not None
        notes = run.stderr.read()
    assert b"".join(seen) == output_of(gateway, notes)
    assert notes.count(b"resuming the stream") >= 1


def test_it_goes_on_when_a_killed_gateway_comes_back(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway()
    tool = tool_of(gateway, tmp_path / "checkout")
    flag = tmp_path / "flag"
    with tool.start("run", prompt("say one", f"await {flag}", "say two", "result ok")) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.readline()
        gateway.kill()
        assert b"resuming the stream" in run.stderr.readline()
        gateway.start()
        flag.touch()
        assert run.communicate()[0] == b"two\n"
    assert run.returncode == 0


def test_the_prompt_may_come_from_standard_input(tool: Tool) -> None:
    verbs = prompt("say ünï", "result ok").encode()
    for arguments in ([], ["-"]):
        assert tool.run("run", *arguments, stdin=verbs).stdout.decode() == "ünï\n"


def test_a_prompt_may_look_like_an_option(tool: Tool) -> None:
    done = tool.run("run", "--", "--help\nsay a\nresult ok")
    assert (done.returncode, done.stdout) == (0, b"a\n")


@pytest.mark.parametrize("stdin", [b"", b" \n", b"\xff"])
def test_no_prompt_is_a_mistake_of_the_command_line(tool: Tool, stdin: bytes) -> None:
    done = tool.run("run", stdin=stdin)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"cannot ")


SESSION = "f9645fec-cdad-4505-8f73-2b22a415a890"


def test_options_reach_the_cli(tool: Tool) -> None:
    options = ["--model", "opus", "--session", SESSION, "--cwd", ".."]
    done = tool.run("run", "--raw", *options, "arguments\nresult ok")
    arguments = done.stdout.decode()
    assert '"--model=opus"' in arguments and f'"--resume={SESSION}"' in arguments
    assert f'"cwd": "{tool.folder}"' in arguments


def test_the_current_folder_is_where_it_works(tool: Tool) -> None:
    assert f'"cwd": "{tool.project}"' in tool.run("run", "--raw", "arguments").stdout.decode()


def test_the_place_in_a_queue_is_printed_beside_the_answer(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    screen = Screen(Shown.TEXT)
    assert [screen.show(Event("", data, None)) for data in (b"queued 3", b"ping")] == [None, None]
    assert capfdbinary.readouterr() == (b"", b"queued 3\n")


def test_a_terminal_is_shown_nothing_that_moves_it(tool: Tool) -> None:
    master, slave = pty.openpty()
    verbs = prompt("say \\u001b]0;title\\u0007\\u009b31mred\\tx\\r", "result ok")
    with tool.start("run", verbs, stdout=slave) as run:
        os.close(slave)
        run.communicate()
    shown = read_all(master).decode()
    os.close(master)
    assert shown == "\ufffd]0;title\ufffd\ufffd31mred\tx\ufffd\r\n"


def test_ctrl_c_in_a_terminal(gateway: Gateway, tool: Tool) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", tool.program, "run", "polite\nsay a\nsilent"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=tool.project,
        env=tool.environment(),
    ) as run:
        os.close(slave)
        read = b""
        while not read.endswith(b"\n"):
            read += os.read(master, 1000)
        assert read == b"a\r\n"
        os.write(master, b"\x03")
        assert run.wait(PATIENCE) == 130
    os.close(master)
    assert gateway.running() == []
