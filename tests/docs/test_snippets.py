"""The commands and the code in the documentation can at least be parsed."""

import ast
import contextlib
import io
import itertools
import json
import re
import shlex
import subprocess
import tomllib

import pytest

from app.tool.main import COMMANDS
from app.tool.parser import build_parser
from tests.support.pages import PAGES, ROOT, Page

NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
SHELL = ("sh", "bash")


@pytest.mark.parametrize("name", NAMES)
def test_every_block_names_its_language(name: str) -> None:
    if name == "docs/design.md":
        pytest.skip("it has drawings")
    assert all(block.language for block in Page(ROOT / name).blocks())


@pytest.mark.parametrize("name", NAMES)
def test_shell_commands_parse(name: str) -> None:
    for block in Page(ROOT / name).blocks(*SHELL):
        done = subprocess.run(
            ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, block.text + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_python_json_and_toml_parse(name: str) -> None:
    for block in Page(ROOT / name).blocks("python", "json", "toml"):
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)
        else:
            # A body alone, or the lines of a log.
            json.loads(block.text.replace("…", "x").replace(",\n ", ", "))


@pytest.mark.parametrize("name", NAMES)
def test_the_command_takes_every_command_line_that_is_shown(name: str) -> None:
    for words in command_lines(Page(ROOT / name)):
        assert refusal(words) == "", words


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_the_commands_that_sentences_mention_exist(name: str) -> None:
    for mention in Page(ROOT / name).names():
        if mention.startswith("claudecode2api "):
            words = shlex.split(mention)[1:]
            if words[0].strip("-").islower():
                refused = refusal(words)
                assert not refused or "arguments are required" in refused, mention


def test_command_lines_are_found_on_the_pages() -> None:
    found = [words for path in PAGES for words in command_lines(Page(path))]
    assert ["run", "--ask", "Tidy up this folder"] in found
    assert ["completion", "bash"] in found
    assert len(found) > 20


@pytest.mark.parametrize("name", NAMES)
def test_paths_in_the_repository_exist(name: str) -> None:
    text = Page(ROOT / name).text
    found = re.findall(r"(?<![\w/.~-])((?:app|docs|examples|scripts|tests)/[\w./-]*\w)", text)
    for path in found:
        assert (ROOT / path).exists(), path


def command_lines(page: Page) -> list[list[str]]:
    """The arguments of `claudecode2api` wherever a block of a page calls it."""
    found = []
    for block in page.blocks(*SHELL, "console"):
        for line in block.text.replace("\\\n", " ").splitlines():
            for before, rest in re.findall(r"(^|[ /]|\$\()claudecode2api ([a-z-].*)", line):
                if before == "$(":
                    rest = rest.partition(")")[0]
                lexer = shlex.shlex(rest, posix=True, punctuation_chars="|<>&;")
                lexer.whitespace_split = True
                words = list(itertools.takewhile(lambda word: word[0] not in "|<>&;", lexer))
                if words[0] in {*COMMANDS, "--version"}:
                    found.append(words)
    return found


def refusal(words: list[str]) -> str:
    """What the command says to arguments that it does not take."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            build_parser().parse_args(words)
        except SystemExit as end:
            return errors.getvalue() if end.code else ""
    return ""
