"""The command with the real CLI."""

import json
import os
import pty
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import model_api
from tests.support.gateway import Gateway, eventually
from tests.support.talk import await_turns, states_of
from tests.support.terminal import Terminal, read_all
from tests.support.tool import Tool, tool_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@pytest.fixture
def real_tool(real: Gateway, tmp_path: Path) -> Tool:
    """The command, with a gateway that has the real CLI."""
    await_turns(real)
    return tool_of(real, tmp_path / "checkout")


def test_words_are_shown_while_the_model_writes_them(real_tool: Tool) -> None:
    with real_tool.start("run", "slow: 8 0.5") as run:
        assert run.stdout is not None
        read = [os.read(run.stdout.fileno(), 4096)]
        assert run.poll() is None
        rest, notes = run.communicate()
    words = " ".join(f"word-{number}" for number in range(8))
    assert read[0].startswith(b"word-0") and b"word-7" not in read[0]
    assert (read[0] + rest).decode() == f"{words}\n"
    assert notes.startswith(b"succeeded, ")


def test_the_text_is_the_same_without_its_pieces(real_tool: Tool) -> None:
    shown = real_tool.run("run", "bash: echo hello").stdout.decode()
    record = json.loads(real_tool.run("run", "--json", "bash: echo hello").stdout)
    assert shown == f"I run it.\n{record['result']}\n"
    assert real_tool.run("logs", record["process_id"]).stdout.decode() == shown


def test_an_old_cli_is_shown_alike(old_real: Gateway, tmp_path: Path) -> None:
    tool = tool_of(old_real, tmp_path / "checkout")
    done = tool.run("run", "bash: echo hello")
    assert done.stdout.decode() == 'I run it.\nThe tool said: "hello"\n'
    assert done.stderr.startswith(b"Bash: echo hello\nsucceeded, ")
    with tool.start("run", "slow: 8 0.5") as run:
        assert run.stdout is not None
        assert b"word-7" not in os.read(run.stdout.fileno(), 4096)
        run.communicate()


def test_a_call_of_a_tool_is_a_line_beside_the_answer(real_tool: Tool) -> None:
    done = real_tool.run("run", "bash: echo hello")
    assert done.stderr.decode().splitlines()[0] == "Bash: echo hello"


def test_an_answer_that_breaks_off_ends_its_line(real_tool: Tool) -> None:
    master, slave = pty.openpty()
    with real_tool.start("run", "break: this", stdout=slave, stderr=slave) as run:
        os.close(slave)
        run.wait(50)
    shown = read_all(master).decode()
    os.close(master)
    assert re.search(r"\r\n[a-z ]+(\([a-z_]+\))?, .*job [-0-9a-f]{36}\r\n$", shown), shown


def test_the_latest_session_is_continued(real_tool: Tool) -> None:
    first = json.loads(real_tool.run("run", "--json", "one").stdout)
    second = json.loads(real_tool.run("run", "--json", "--continue", "two").stdout)
    assert first["session_id"] == second["session_id"]


def test_ctrl_c_stops_a_tool_and_the_session_can_be_continued(real_tool: Tool) -> None:
    with real_tool.start("run", "bash: python3 -c 'import time; time.sleep(30)'") as run:
        assert run.stderr is not None
        assert run.stderr.readline().startswith(b"Bash: python3")
        run.send_signal(signal.SIGINT)
        assert run.stderr.readline().startswith(b"interrupting the job")
        notes = run.communicate(timeout=50)[1]
    assert run.returncode == 130
    assert notes.startswith(b"cancelled, ")
    assert real_tool.run("run", "--continue", "and now?").returncode == 0


def test_tools_that_are_allowed_need_no_permission(real_tool: Tool) -> None:
    options = ["--permission-mode", "default", "--allowed-tools", "Read,Bash(echo *)"]
    assert b'The tool said: "hello"' in real_tool.run("run", *options, "bash: echo hello").stdout
    assert b"The tool said: " in real_tool.run("run", *options, "bash: touch made").stdout
    assert not (real_tool.project / "made").exists()


def test_a_tool_is_allowed_at_the_terminal(real_tool: Tool, terminal: Terminal) -> None:
    with asking(real_tool, terminal, "bash: touch made"):
        assert "\nClaude asks to use Bash\ncommand: touch made\n" in terminal.read_until("/n] ")
        terminal.type("y\n")
        terminal.read_until("succeeded, ")
    assert (real_tool.project / "made").exists()


def test_what_is_allowed_until_the_run_ends_is_asked_once(
    real_tool: Tool, terminal: Terminal
) -> None:
    with asking(real_tool, terminal, "bash: touch made", "--keep-alive", "1m"):
        terminal.read_until("/n] ")
        terminal.type("a\n")
        terminal.read_until("succeeded, ")
        session = terminal.read_until(", job ").partition("session ")[2][:36]
        terminal.read_until("\n")
    (real_tool.project / "made").unlink()
    options = ["--keep-alive", "0", "--session", session]
    with asking(real_tool, terminal, "bash: touch made", *options):
        assert "Claude asks" not in terminal.read_until("succeeded, ")
    assert (real_tool.project / "made").exists()
    assert not (real_tool.project / ".claude").exists()


def test_a_tool_is_denied_at_the_terminal(real_tool: Tool, terminal: Terminal) -> None:
    with asking(real_tool, terminal, "bash: touch made"):
        terminal.read_until("/n] ")
        terminal.type("n\n")
        terminal.read_until("no reason) ")
        terminal.type("Not in this folder\n")
        assert "Not in this folder" in terminal.read_until("succeeded, ")
    assert not (real_tool.project / "made").exists()


def test_a_question_of_claude_is_answered_at_the_terminal(
    real_tool: Tool, terminal: Terminal
) -> None:
    options = [{"label": "blue", "description": "b"}, {"label": "red", "description": "r"}]
    inquiry = {"question": "Which colour?", "header": "Colour", "options": options}
    given = json.dumps({"questions": [{**inquiry, "multiSelect": False}]})
    with asking(real_tool, terminal, f"call: AskUserQuestion {given}"):
        assert "\nClaude asks: Which colour?\n  1  blue: b\n" in terminal.read_until("decline) ")
        terminal.type("2\n")
        assert "red" in terminal.read_until("succeeded, ").partition("tool said")[2]


def test_a_message_reaches_the_model_while_a_tool_runs(
    real: Gateway, real_tool: Tool, model: model_api.Server
) -> None:
    flag = real_tool.folder / "flag"
    slow = f"bash: until [ -e {flag} ]; do sleep 0.1; done"
    with real_tool.start("run", "--keep-alive", "0.1", slow) as run:
        assert run.stderr is not None
        assert run.stderr.readline().startswith(b"Bash: until")
        (row,) = real.running()
        assert real_tool.run("say", row["process_id"], "use the other one").returncode == 0
        eventually(lambda: states_of(real, row["process_id"]) != ["sent"])
        flag.touch()
        assert run.wait(50) == 0
    assert "use the other one" in json.dumps(model.asked[-1]["messages"][-1])


@contextmanager
def asking(tool: Tool, terminal: Terminal, prompt: str, *options: str) -> Iterator[None]:
    """The command at the terminal, to its end."""
    command = [tool.program, "run", "--ask", *options, prompt]
    environment = tool.environment(NO_COLOR="1")
    with terminal.running(command, cwd=tool.project, env=environment) as process:
        yield
        process.wait(50)
