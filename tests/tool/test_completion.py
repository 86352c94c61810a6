"""`claudecode2api completion`, with the shells themselves."""

import shutil
import subprocess
from pathlib import Path

import pytest

from app.tool.completion.print_script import SHELLS
from app.tool.completion.words import Value, commands_of
from app.tool.main import COMMANDS
from app.tool.parser import build_parser
from tests.support.gateway import Gateway
from tests.support.terminal import Terminal
from tests.support.tool import Tool

needs_fish = pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
needs_zsh = pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")


class Shell:
    """Completes command lines in one shell."""

    def __init__(self, tool: Tool, name: str) -> None:
        self._tool = tool
        self._name = name
        self._script = tool.folder / f"completion.{name}"
        self._script.write_bytes(tool.run("completion", name).stdout)

    def complete(self, line: str) -> list[str]:
        """The candidates for the end of a line."""
        if self._name == "fish":
            commands = f"source {self._script}; complete -C {line!r}"
        else:
            words = " ".join(repr(word) for word in line.split(" "))
            commands = (
                f"source {self._script}; COMP_WORDS=({words})\n"
                "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                'compopt() { :; }; _claudecode2api; printf "%s\\n" "${COMPREPLY[@]}"'
            )
        path = f"{self._tool.program.parent}:{self._tool.environment()['PATH']}"
        done = subprocess.run(
            [self._name, "-c", commands],
            cwd=self._tool.project,
            env=self._tool.environment(PATH=path),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return [row.partition("\t")[0] for row in done.stdout.splitlines() if row]


@pytest.fixture(params=["bash", pytest.param("fish", marks=needs_fish)])
def shell(tool: Tool, request: pytest.FixtureRequest) -> Shell:
    """A shell with the completion of the command."""
    return Shell(tool, request.param)


def test_commands_and_options_are_completed(shell: Shell) -> None:
    assert sorted(shell.complete("claudecode2api ")) == sorted(COMMANDS)
    assert shell.complete("claudecode2api comp") == ["completion"]
    assert {"--continue", "--allowed-tools"} <= set(shell.complete("claudecode2api run --"))
    assert shell.complete("claudecode2api run --json --perm") == ["--permission-mode"]
    assert "--permission-mode" not in shell.complete("claudecode2api ps --")
    assert "--version" in shell.complete("claudecode2api --")


def test_values_are_completed(shell: Shell, tool: Tool) -> None:
    assert shell.complete("claudecode2api run --permission-mode pl") == ["plan"]
    assert sorted(shell.complete("claudecode2api completion ")) == ["bash", "fish", "zsh"]
    assert sorted(shell.complete("claudecode2api key ")) == ["add", "list", "remove"]
    (tool.project / "a folder").mkdir()
    (tool.project / "a file").touch()
    (folder,) = shell.complete("claudecode2api run --cwd a")
    assert folder.rstrip("/").replace("\\", "") == "a folder"


def test_ids_of_jobs_are_completed(shell: Shell, gateway: Gateway) -> None:
    ended = gateway.chat("exit 0").done()["process_id"][:8]
    running = gateway.chat("silent").job_id[:8]
    for command in ("cancel", "say", "questions", "answer"):
        assert shell.complete(f"claudecode2api {command} ") == [running]
    assert {ended, running} <= set(shell.complete("claudecode2api logs "))


@needs_zsh
def test_zsh_completes_commands_options_and_ids(
    tool: Tool, terminal: Terminal, gateway: Gateway, tmp_path: Path
) -> None:
    running = gateway.chat("silent").job_id[:8]
    path = f"{tool.program.parent}:{tool.environment()['PATH']}"
    environment = tool.environment(PATH=path, TERM="dumb", PS1="ready> ")
    with terminal.running(["zsh", "-f", "-i"], cwd=tool.project, env=environment):
        terminal.read_until("ready> ")
        terminal.type(
            'autoload -U compinit; compinit -D; eval "$(claudecode2api completion zsh)"\n'
        )
        terminal.read_until("ready> ")
        for typed, completed in (
            ("claudecode2api canc\t", "claudecode2api cancel "),
            ("\t", running),
            ("\x15claudecode2api run --perm\t", "--permission-mode "),
            ("acc\t", "acceptEdits"),
        ):
            terminal.type(typed)
            terminal.read_until(completed)


def test_every_command_and_option_is_in_every_script() -> None:
    commands = commands_of(build_parser())
    assert {command.name for command in commands} == {"", *COMMANDS}
    scripts = [script(commands) for script in SHELLS.values()]
    for command in commands:
        assert all(command.name in script for script in scripts)
        for name in (name for option in command.options for name in option.names):
            assert all(name.lstrip("-") in script for script in scripts)


def test_an_option_takes_a_value_in_all_commands_or_in_none() -> None:
    takes: dict[str, set[bool]] = {}
    for command in commands_of(build_parser()):
        for option in command.options:
            for name in option.names:
                takes.setdefault(name, set()).add(option.value is not None)
    assert all(len(each) == 1 for each in takes.values())


@pytest.mark.parametrize("shell_name", SHELLS)
def test_a_script_is_one_that_its_shell_can_read(shell_name: str) -> None:
    if not shutil.which(shell_name):
        pytest.skip(f"{shell_name} is not installed")
    script = SHELLS[shell_name](commands_of(build_parser()))
    subprocess.run([shell_name, "-n"], input=script, text=True, check=True)


def test_ids_are_all_that_a_shell_gets_of_a_list() -> None:
    lines = "JOB QUESTION\na1 $(id)\nb2 c-3\nd4\n"
    command = Value(prints="questions", column=2).filter
    done = subprocess.run(
        ["sh", "-c", command], input=lines, capture_output=True, text=True, check=True
    )
    assert done.stdout == "c-3\n"
