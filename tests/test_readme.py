"""The README: its tables are complete, and its examples run as they are written."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli.request_fields import ChatRequest
from app.openapi.document import make_document
from app.settings import setting_names
from app.tool.main import COMMANDS
from app.tool.parser import EXIT_CODES
from tests.support.described import application
from tests.support.gateway import PASSWORD, ROOT, Gateway

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^```(bash|python|javascript)\n(.*?)^```$",
    README.partition("\n## Examples\n")[2].partition("\n## ")[0],
    re.MULTILINE | re.DOTALL,
)
RUNNERS: dict[str, Callable[[Path], list[str]]] = {
    "bash": lambda path: ["bash", str(path)],
    "python": lambda path: [sys.executable, str(path)],
    "javascript": lambda path: ["node", str(path)],
}


def first_cells() -> set[str]:
    """What stands between backticks in the first cell of each row of the README's tables."""
    return {
        name
        for line in README.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def test_every_setting_has_a_row() -> None:
    assert setting_names() <= first_cells()


def test_every_field_has_a_row() -> None:
    assert set(ChatRequest.model_fields) <= first_cells()


def test_every_route_has_a_row() -> None:
    for path, methods in make_document(application())["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in first_cells()


def test_the_table_of_commands_is_complete() -> None:
    section = README.partition("\n## The claudecode2api command\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z]+)[^`]*` \|", section, re.MULTILINE)
    assert rows == list(COMMANDS)
    statuses = re.findall(r"^\| (\d+) \|", section, re.MULTILINE)
    assert statuses == re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)


@pytest.mark.real
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs_as_it_is_written(
    real: Gateway,
    number: int,
    tmp_path: Path,
) -> None:
    language, text = EXAMPLES[number]
    program = tmp_path / {"bash": "x.sh", "python": "x.py", "javascript": "x.mjs"}[language]
    program.write_text(text, encoding="utf-8")
    done = subprocess.run(
        RUNNERS[language](program),
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "GATEWAY": real.url,
            "AUTH_USER": "admin",
            "AUTH_PASSWORD": PASSWORD,
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_there_are_examples_in_each_language() -> None:
    assert {language for language, _ in EXAMPLES} == set(RUNNERS)
