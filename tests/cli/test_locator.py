"""Where claude is found, which place wins, and what is reported of the other places."""

import shutil
import sys
from pathlib import Path

import pytest

from app.cli import locator
from app.cli.locator import Claude, locate, number_in
from app.errors import ConfigurationError

_BUNDLED = "claude_agent_sdk/_bundled/claude"
SLEEP = shutil.which("sleep") or "/bin/sleep"
PLACES = [
    "PATH",
    "~/.local/bin",
    "~/.claude/local",
    "npm's global folder",
    "claude-agent-sdk beside this Python",
    "venv-claude/ beside the gateway",
]


class Machine:
    """A machine with nothing installed: its folders, and an environment that names them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.home = root / "home"
        self.npm = root / "npm"
        self.packages = root / "packages"
        self.checkout = root / "checkout"
        for folder in (self.bin, self.home, self.packages):
            folder.mkdir()
        self.environ = {"PATH": str(self.bin), "HOME": str(self.home)}
        self.files = dict(
            zip(
                PLACES,
                [
                    self.bin / "claude",
                    self.home / ".local/bin/claude",
                    self.home / ".claude/local/claude",
                    self.npm / "bin/claude",
                    self.packages / _BUNDLED,
                    self.checkout / "venv-claude/lib/python3.11/site-packages" / _BUNDLED,
                ],
                strict=True,
            )
        )

    def install_npm(self, answer: str | None = None) -> None:
        """An npm whose global folder is ours."""
        script(self.bin / "npm", answer or f'[ "$*" = "prefix --global" ] && echo {self.npm}')

    def install(self, place: str) -> Path:
        """A claude whose version names the place where it was installed."""
        return script(self.files[place], f"echo '2.1.330 ({place})'".replace("npm's", "npm"))

    def locate(self, claude_path: str | None = None) -> Claude:
        return locate(claude_path, self.environ, self.packages, self.checkout)

    def refusal(self, claude_path: str | None = None) -> str:
        """The error when there is no usable claude."""
        with pytest.raises(ConfigurationError) as refused:
            self.locate(claude_path)
        message = str(refused.value)
        assert message.startswith("cannot find claude; ")
        assert len(message.splitlines()) == 1
        return message


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with nothing installed."""
    return Machine(tmp_path)


def script(path: Path, *lines: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("place", PLACES)
def test_each_place_is_looked_at(place: str, machine: Machine) -> None:
    machine.install_npm()
    path = machine.install(place)
    found = machine.locate()
    assert (found.path, found.place) == (str(path), place)
    assert found.version.startswith("2.1.330 (")
    assert number_in(found.version) == (2, 1, 330)


def test_the_first_place_wins(machine: Machine) -> None:
    machine.install_npm()
    installed = {place: machine.install(place) for place in PLACES}
    for place in PLACES:
        assert machine.locate().place == place
        installed[place].unlink()
    machine.refusal()


def test_claude_path_wins_over_every_place(machine: Machine) -> None:
    for place in PLACES:
        machine.install(place)
    mine = script(machine.root / "mine", "echo 9.9")
    assert machine.locate(str(mine)) == Claude(str(mine), "9.9", "CLAUDE_PATH")


def test_a_claude_path_that_is_wrong_is_not_covered_up(machine: Machine) -> None:
    for place in PLACES:
        machine.install(place)
    message = machine.refusal(str(machine.root / "nope"))
    assert "correct CLAUDE_PATH" in message
    assert f"CLAUDE_PATH ({machine.root}/nope: no such file)" in message
    assert message.count(";") == 1


def test_a_tilde_in_claude_path_is_the_home(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(machine.home))
    path = script(machine.home / "claude", "echo 1.0")
    assert machine.locate("~/claude").path == str(path)


@pytest.mark.parametrize("claude_path", ["claude", "./claude", "folder/../claude"])
def test_a_relative_claude_path_is_a_file_of_the_current_folder(
    claude_path: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install("PATH")
    (machine.root / "folder").mkdir()
    script(machine.root / "claude", "echo 'mine'")
    monkeypatch.chdir(machine.root)
    found = machine.locate(claude_path)
    assert Path(found.path).is_absolute()
    assert Path(found.path).samefile(machine.root / "claude")
    assert found.version == "mine"


@pytest.mark.parametrize(
    "claude_path",
    ["~nobody-of-this-name/claude", "/" + "x" * 300, "/dev/null/claude", "/a\0b"],
    ids=["no such user", "name too long", "below a file", "NUL"],
)
def test_a_claude_path_that_cannot_be_a_path_is_reported_as_such(
    claude_path: str, machine: Machine
) -> None:
    assert "CLAUDE_PATH" in machine.refusal(claude_path)


def test_a_home_that_cannot_be_looked_at_does_not_stop_the_search(machine: Machine) -> None:
    machine.environ["HOME"] = "/" + "x" * 300
    machine.install("claude-agent-sdk beside this Python")
    assert machine.locate().place == "claude-agent-sdk beside this Python"


def test_a_link_stays_a_link_because_updates_change_it(machine: Machine) -> None:
    version = script(machine.root / "versions/2.1.330", "echo 2.1.330")
    link = machine.home / ".local/bin/claude"
    link.parent.mkdir(parents=True)
    link.symlink_to(version)
    assert machine.locate().path == str(link)


def test_every_place_is_reported_with_why_it_was_not_used(machine: Machine) -> None:
    machine.install_npm()
    script(machine.files["~/.local/bin"], "exit 3")
    machine.files["~/.claude/local"].mkdir(parents=True)
    assert machine.refusal() == (
        "cannot find claude; set CLAUDE_PATH, or install it (claudecode2api doctor shows how)."
        " Looked in: PATH (none);"
        f" ~/.local/bin ({machine.home}/.local/bin/claude:"
        " --version exited with status 3 and printed nothing);"
        f" ~/.claude/local ({machine.home}/.claude/local/claude: not a file);"
        f" npm's global folder ({machine.npm}/bin/claude: no such file);"
        " claude-agent-sdk beside this Python"
        f" ({machine.packages}/claude_agent_sdk/_bundled/claude: no such file);"
        " venv-claude/ beside the gateway (none)"
    )


def test_an_empty_environment_has_no_claude(machine: Machine) -> None:
    machine.environ.clear()
    message = machine.refusal()
    assert all(place in message for place in PLACES)


def test_a_file_that_is_missing_is_reported_as_such(machine: Machine) -> None:
    assert "nope: no such file" in machine.refusal(str(machine.root / "nope"))


def test_a_dangling_link_is_reported_as_missing(machine: Machine) -> None:
    (machine.root / "link").symlink_to("nowhere")
    assert "link: no such file" in machine.refusal(str(machine.root / "link"))


def test_a_folder_is_not_a_binary(machine: Machine) -> None:
    assert "home: not a file" in machine.refusal(str(machine.home))


def test_a_file_that_is_not_executable_is_reported_as_such(machine: Machine) -> None:
    path = machine.install("~/.local/bin")
    path.chmod(0o644)
    assert "claude: not executable" in machine.refusal()


def test_a_file_that_is_not_executable_is_not_found_in_path(machine: Machine) -> None:
    machine.install("PATH").chmod(0o644)
    assert "PATH (none)" in machine.refusal()


def test_a_file_that_is_no_program_is_reported_as_such(machine: Machine) -> None:
    path = machine.root / "text"
    path.write_bytes(b"\x7fELF but not really")
    path.chmod(0o755)
    assert "text: cannot be run: Exec format error" in machine.refusal(str(path))


def test_a_script_without_its_interpreter_is_reported_as_such(machine: Machine) -> None:
    path = machine.root / "script"
    path.write_text("#!/no/such/node\n")
    path.chmod(0o755)
    assert "script: cannot be run: No such file or directory" in machine.refusal(str(path))


def test_a_binary_that_fails_is_reported_with_its_exit(machine: Machine) -> None:
    path = script(machine.root / "failing", "echo 'no node here'", "exit 7")
    message = machine.refusal(str(path))
    assert "failing: --version exited with status 7: no node here" in message


def test_a_binary_that_crashes_is_reported_with_its_signal(machine: Machine) -> None:
    path = script(machine.root / "crashing", "kill -SEGV $$")
    assert "crashing: --version was killed by signal 11 and printed nothing" in machine.refusal(
        str(path)
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("true", " and printed nothing"),
        ("echo", " and printed nothing"),
        ("echo 2.1.330 >&2", ": 2.1.330"),
    ],
)
def test_a_binary_that_prints_no_version_is_not_used(
    lines: str, words: str, machine: Machine
) -> None:
    path = script(machine.root / "silent", lines)
    assert f"silent: --version exited with status 0{words}" in machine.refusal(str(path))


def test_a_binary_whose_interpreter_is_missing_is_reported_with_its_words(machine: Machine) -> None:
    path = machine.root / "claude"
    path.write_text("#!/usr/bin/env no-such-node\n")
    path.chmod(0o755)
    message = machine.refusal(str(path))
    assert "claude: --version exited with status 127: " in message
    assert "no-such-node" in message.rpartition("status 127")[2]


def test_a_binary_that_hangs_is_given_up(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locator, "VERSION_PATIENCE", 0.2)
    path = script(machine.root / "hanging", f"exec {SLEEP} 600")
    assert "hanging: --version took more than 0.2 s" in machine.refusal(str(path))


def test_a_binary_that_waits_for_input_gets_none(machine: Machine) -> None:
    path = script(machine.root / "reading", "read line", 'echo "2.0 $line"')
    assert machine.locate(str(path)).version == "2.0"


def test_a_place_that_is_not_usable_is_passed_over(machine: Machine) -> None:
    script(machine.files["PATH"], "exit 1")
    machine.install("~/.local/bin")
    assert machine.locate().place == "~/.local/bin"


@pytest.mark.parametrize(
    "answer",
    [
        "exit 1",
        "true",
        "echo",
        "printf '\\377\\n'",
        "kill -KILL $$",
        f"exec {SLEEP} 600",
    ],
    ids=["fails", "prints nothing", "prints a blank line", "not UTF-8", "is killed", "hangs"],
)
def test_an_npm_that_does_not_answer_is_passed_over(
    answer: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locator, "_NPM_PATIENCE", 0.2)
    machine.install_npm(answer)
    machine.install("claude-agent-sdk beside this Python")
    # A file in the folder where the gateway happens to start was not chosen by the operator.
    elsewhere = machine.root / "elsewhere"
    script(elsewhere / "bin/claude", "echo 6.6.6")
    monkeypatch.chdir(elsewhere)
    assert machine.locate().place == "claude-agent-sdk beside this Python"


def test_the_binary_runs_in_the_clis_environment(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_PASSWORD", "s3cret")
    machine.environ["ONLY_HERE"] = "yes"
    path = script(machine.root / "telling", 'echo "1.0 [$AUTH_PASSWORD] [$ONLY_HERE]"')
    assert machine.locate(str(path)).version == "1.0 [] [yes]"


def test_the_folder_beside_our_interpreter_is_looked_at_by_itself(machine: Machine) -> None:
    with pytest.raises(ConfigurationError) as refused:
        locate(None, machine.environ, checkout=machine.checkout)
    assert f"{sys.prefix}/" in str(refused.value).partition("beside this Python")[2]


@pytest.mark.parametrize(
    ("printed", "version", "number"),
    [
        ("2.1.330 (Claude Code)", "2.1.330 (Claude Code)", (2, 1, 330)),
        ("3", "3", (3,)),
        ("2.1.330-beta.1", "2.1.330-beta.1", (2, 1, 330)),
        ("10.20.30.40", "10.20.30.40", (10, 20, 30, 40)),
        ("nightly", "nightly", ()),
        ("v2.1", "v2.1", (2, 1)),
        (
            "Now using node v22.1.0\nWelcome 3.0!\n2.1.330 (Claude Code)",
            "2.1.330 (Claude Code)",
            (2, 1, 330),
        ),
        ("2 updates are there\n\n 2.1.197 ", "2.1.197", (2, 1, 197)),
        ("\n 2.0 \nmore", "2.0", (2, 0)),
    ],
)
def test_the_version_is_the_line_that_looks_like_one_and_its_number_compares(
    printed: str, version: str, number: tuple[int, ...], machine: Machine
) -> None:
    found = machine.locate(str(script(machine.root / "claude", f"printf '%s' '{printed}'")))
    assert found.version.rstrip() == version
    assert number_in(found.version) == number
