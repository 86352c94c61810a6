"""Where the gateway cannot run, each script and the command say so in one sentence."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gateway import ROOT

HELP = "claudecode2api needs Linux; use a Linux container or virtual machine, or WSL 2 on Windows"


def programs(*interpreters: str) -> list[str]:
    """The repository's programs that one of these interpreters runs."""
    begins = tuple(f"#!{interpreter}\n" for interpreter in interpreters)
    found = [ROOT / "install.sh", *(ROOT / ".ci").iterdir(), *(ROOT / "scripts").iterdir()]
    return sorted(
        str(path.relative_to(ROOT))
        for path in found
        if path.is_file() and path.read_text(encoding="utf-8").startswith(begins)
    )


# An icon can be drawn, and a container be built, elsewhere, too.
ANYWHERE = {"scripts/draw-icon", "scripts/container"}
SHELL = [path for path in programs("/bin/sh", "/usr/bin/env bash") if path not in ANYWHERE]
PYTHON = [path for path in programs("/usr/bin/env python3") if path not in ANYWHERE]
#: The code that starts each program in Python.
ENTRIES = {
    **{path: f"runpy.run_path({str(ROOT / path)!r}, run_name='__main__')" for path in PYTHON},
    "gunicorn.conf.py": f"runpy.run_path({str(ROOT / 'gunicorn.conf.py')!r})",
    "app/tool/package.py": "import app.tool.package as package; package.main()",
}


def start(program: str, fake: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python program with something faked."""
    code = f"import argparse, pathlib, runpy, sys; {fake}; {program}"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("system", ["Darwin", "MINGW64_NT-10.0"])
@pytest.mark.parametrize("script", SHELL)
def test_a_shell_script_names_another_way(tmp_path: Path, script: str, system: str) -> None:
    (tmp_path / "uname").write_text(f"#!/bin/sh\necho {system}\n", encoding="utf-8")
    (tmp_path / "uname").chmod(0o755)
    done = subprocess.run(
        [ROOT / script],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 78)
    assert (done.stdout, done.stderr) == ("", f"cannot run on {system}: {HELP}\n")


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_python_program_names_another_way(entry: str) -> None:
    done = start(ENTRIES[entry], "sys.platform = 'darwin'")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == f"cannot run on darwin: {HELP}\n"
    done = start(ENTRIES[entry], "sys.version_info = (3, 10, 4, 'final', 0)")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("cannot run with Python 3.10.4: claudecode2api needs Python 3.11")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("entry", [*ENTRIES, "app/__init__.py", "app/platform_check.py"])
def test_an_old_python_can_read_what_says_so(entry: str) -> None:
    text = (ROOT / entry).read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 8))
