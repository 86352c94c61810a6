"""How the command is found and started, and what root refuses to run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.gateway import ROOT
from tests.support.tool import POWERLESS, Tool


def test_it_runs_from_anywhere_and_through_links(tool: Tool, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for name in ("app.py", "json.py", "requests.py", "sitecustomize.py"):
        (hostile / name).write_text("raise SystemExit('taken in')\n", encoding="utf-8")
    link, second = tmp_path / "link", tmp_path / "second"
    link.symlink_to(tool.program)
    second.symlink_to("link")
    tool.project = hostile
    done = tool.run("ps", program=second, PYTHONPATH=str(hostile))
    assert (done.returncode, done.stderr[:13]) == (0, b"no job is run")


def test_without_its_packages_it_says_what_to_do(tool: Tool) -> None:
    (tool.folder / "venv").unlink()
    done = tool.run("ps")
    assert done.returncode == 78
    assert done.stderr.startswith(f"cannot find {tool.folder}/venv/bin/python: run ".encode())


@pytest.mark.root
def test_another_users_settings(tool: Tool) -> None:
    toml = tool.folder / "claudecode2api.toml"
    toml.write_text("port = 9\n", encoding="utf-8")
    toml.chmod(0o600)
    for file in (tool.env_file, toml):
        os.chown(file, 65534, 65534)
    whose = "only nobody can use it; run this as nobody (sudo -u nobody claudecode2api …)"
    for more, status, complaint in (
        ({}, 78, f"cannot read {tool.env_file}, which has the password: {whose}, or set"),
        ({"AUTH_PASSWORD": "x", "PORT": "1"}, 69, "cannot reach the gateway at "),
    ):
        done = subprocess.run(
            [*POWERLESS, tool.program, "ps"],
            env=tool.environment(**more),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr[: len(complaint)]) == (status, complaint)


def test_requests_is_a_requirement_of_the_gateway_itself() -> None:
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert f"requests=={requests.__version__}" in pinned


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root that refuses")
@pytest.mark.parametrize("what", ["app", "venv", "the folder above", "a file"])
def test_root_runs_nothing_that_others_can_write(tool: Tool, tmp_path: Path, what: str) -> None:
    ours = tool.folder / "app"
    ours.unlink()
    shutil.copytree(ROOT / "app", ours)
    ran = tmp_path / "ran"
    (ours / "tool/main.py").write_text(f"def main(_):\n    open({str(ran)!r}, 'w')\n")
    path = {
        "app": ours,
        "venv": tool.folder / "own-venv",
        "the folder above": tool.folder,
        "a file": ours / "tool/main.py",
    }[what]
    if what == "venv":
        (path / "bin").mkdir(parents=True)
        (path / "bin/python").symlink_to(sys.executable)
        (tool.folder / "venv").unlink()
        (tool.folder / "venv").symlink_to(path)
    tool.run("ps")
    assert ran.exists()
    ran.unlink()
    for change in (lambda: path.chmod(0o777), lambda: os.chown(path, 65534, 65534)):
        mode = path.stat().st_mode
        change()
        done = tool.run("ps")
        assert done.returncode == 78
        assert f"others can write {path}, and so choose what root would run" in done.stderr.decode()
        assert not ran.exists()
        path.chmod(mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root that refuses")
def test_root_starts_no_gateway_and_no_cli_that_another_user_chooses(
    tool: Tool, tmp_path: Path
) -> None:
    claude = tmp_path / "claude"
    claude.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran; echo 1.0\n")
    claude.chmod(0o755)
    tool.configure(AUTH_PASSWORD="a password", CLAUDE_PATH=str(claude))  # noqa: S106
    os.chown(tool.env_file, 65534, 65534)
    done = tool.run("serve")
    assert done.returncode == 78
    assert b"root must not run what nobody sets" in done.stderr
    rows = {row["name"]: row for row in json.loads(tool.run("doctor", "--json").stdout)["checks"]}
    assert {rows[name]["status"] for name in ("claude", "capabilities", "login")} == {"skipped"}
    assert not (tmp_path / "ran").exists()
