"""The help of every command."""

import re

from app.tool.main import COMMANDS
from app.tool.parser import build_parser
from app.version import VERSION
from tests.support.tool import Tool


def test_every_command_has_help_with_examples(tool: Tool) -> None:
    assert tool.run().returncode == 2
    whole = tool.run("--help").stdout.decode()
    for name in COMMANDS:
        assert f"\n    {name} " in whole
        text = tool.run(name, "--help").stdout.decode()
        assert f"claudecode2api {name}" in text.partition("examples:")[2]
        assert all(len(line) <= 100 for line in text.splitlines())


def test_examples_of_the_help_are_understood() -> None:
    text = build_parser().format_help()
    for line in re.findall(r"^  claudecode2api (.*)$", text, re.MULTILINE):
        build_parser().parse_args(re.findall(r'"[^"]*"|\S+', line))


def test_the_version_is_the_gateways(tool: Tool) -> None:
    done = tool.run("--version")
    assert (done.returncode, done.stdout) == (0, f"claudecode2api {VERSION}\n".encode())
