"""The doctor reports on the gateway that runs; its advice fits how that was installed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.tool.checkout import Checkout
from app.tool.local_users import own_name
from app.tool.remedies import Remedies
from app.tool.systemd_unit import Unit
from tests.support.doctor import await_login, installed_checkout, not_well, rows_of
from tests.support.gateway import ROOT, Gateway, free_port
from tests.support.probed_claude import write_claude
from tests.support.tool import POWERLESS, Tool, tool_of

#: What the CLI prints without a login.
RESULT = json.dumps(
    {
        "type": "result",
        "subtype": "success",
        "is_error": True,
        "result": "Not logged in · Please run /login",
    }
)


def write_logged_out(path: Path) -> Path:
    """A CLI that is logged in once the file `<name>.in` exists, or by ANTHROPIC_API_KEY."""
    path.write_text(
        f"""#!/bin/sh
case $1 in
    --version) echo 1.0 ;;
    auth) [ -e {path}.in ] || [ "$ANTHROPIC_API_KEY" ] && echo '{{"loggedIn": true}}' ||
        echo '{{"loggedIn": false}}' ;;
    *) echo '{RESULT}'; exit 1 ;;
esac
""",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def test_a_cli_that_is_not_logged_in(tool: Tool, tmp_path: Path) -> None:
    claude = write_logged_out(tmp_path / "claude")
    rows = rows_of(tool, CLAUDE_PATH=str(claude), PORT=str(free_port()))
    assert not_well(rows) == {"login", "gateway"}
    assert rows["capabilities"]["status"] == "warning"
    assert "cannot find out" in rows["capabilities"]["detail"]
    assert rows["login"]["fix"] == (
        f"run {claude} auth login, or set ANTHROPIC_API_KEY in {tool.env_file} and reload:"
        f" {tool.program} reload"
    )


def test_the_rows_are_about_the_gateway_that_runs_and_not_about_the_terminal(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    claude = write_logged_out(tmp_path / "of-the-gateway")
    gateway = start_gateway(claude=claude)
    await_login(gateway)
    tool = tool_of(gateway, tmp_path / "checkout")
    other = write_claude(tmp_path / "other")
    rows = rows_of(tool, CLAUDE_PATH=str(other), ANTHROPIC_API_KEY="dummy")
    assert not_well(rows) == {"login", "job"}
    assert rows["claude"]["detail"] == f"1.0, {claude}, which the gateway uses"
    assert rows["login"]["detail"] == "not logged in, as the gateway reports"
    assert rows["login"]["fix"].startswith(f"run {claude} auth login, or ")
    assert rows["job"]["fix"].startswith(f"run {claude} auth login, or ")
    # What differs is a row of its own.
    assert rows["claude here"]["detail"] == (
        f"a gateway that is started here would use 9.9.9 (Probed), {other}, found by CLAUDE_PATH"
    )
    rows = rows_of(tool, ANTHROPIC_API_KEY="dummy")
    assert "claude here" not in rows
    assert rows["login here"]["status"] == "warning"
    assert str(tool.env_file) in rows["login here"]["fix"]
    rows = rows_of(tool, CLAUDE_PATH="/nowhere")
    assert rows["claude here"]["detail"].startswith("here, a gateway would not start: ")
    # The gateway elsewhere is not compared with this machine.
    rows = rows_of(tool, "--url", gateway.url, CLAUDE_PATH="/nowhere")
    assert "claude here" not in rows
    claude.unlink()
    rows = rows_of(tool, CLAUDE_PATH=str(other))
    assert not_well(rows) == {"claude", "login", "gateway"}
    assert rows["claude"]["detail"] == f"the gateway uses {claude}, which does not run"


def test_advice_names_the_settings_of_this_kind_of_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path), "PATH": "/bin", "AUTH_PASSWORD": "x"}
    unit = Unit(tmp_path / "none")
    own = tmp_path / ".config/claudecode2api/env"
    package = Remedies(Checkout(tmp_path, environ, unit, is_package=True))
    assert f"set ANTHROPIC_API_KEY in {own} and reload" in package.log_in("/x/claude")
    assert package.start == "claudecode2api serve"
    assert "pipx install --force '.[claude]' brings it" in package.install_claude()
    image = Remedies(Checkout(tmp_path, environ, unit))
    for text in (image.log_in("/x/claude"), image.set("HOST"), image.start):
        assert ".env" not in text
        assert "scripts/container" in text
    (tmp_path / ".env.example").touch()
    by_hand = Remedies(Checkout(tmp_path, environ, unit))
    assert f"set HOST in {tmp_path}/.env" == by_hand.set("HOST")


def test_the_user_of_a_service_logs_in_with_sudo(tmp_path: Path) -> None:
    remedies = Remedies(installed_checkout(tmp_path))
    assert remedies.log_in("/x/claude").startswith("run sudo -u me -H /x/claude auth login, or ")
    assert remedies.reload == "sudo systemctl reload claudecode2api"


def test_who_runs_the_doctor_by_sudo_logs_in_by_sudo(tmp_path: Path) -> None:
    checkout = installed_checkout(tmp_path)
    text = checkout.unit.path.read_text(encoding="utf-8")
    checkout.unit.path.write_text(text.replace("User=me", f"User={own_name()}"), "utf-8")
    assert Remedies(checkout).log_in("/x/claude").startswith("run /x/claude auth login, or ")
    by_sudo = replace(checkout, environ={**checkout.environ, "SUDO_USER": "another"})
    login = Remedies(by_sudo).log_in("/x/claude")
    assert login.startswith(f"run sudo -u {own_name()} -H /x/claude auth login, or ")


CLOSED = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from app.tool.package_settings import find_env_file, unused_env_file
os.chmod(".", 0)
print(find_env_file({{"HOME": "/h"}}), repr(unused_env_file(Path("/x"))))
"""


def test_the_current_folder_may_be_closed_to_the_user(tmp_path: Path) -> None:
    """As after `sudo -u` in the home of root."""
    powerless = POWERLESS if os.geteuid() == 0 else []
    try:
        done = subprocess.run(
            [*powerless, sys.executable, "-P", "-c", CLOSED],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        tmp_path.chmod(0o700)
    assert done.stdout == "/h/.config/claudecode2api/env ''\n", done.stderr


def test_a_file_here_that_is_not_used_is_mentioned(tool: Tool) -> None:
    here = tool.project / ".env"
    here.write_text("PORT=3000\n")
    assert "is not used" not in rows_of(tool, status=0)[".env"]["detail"]
    here.write_text("AUTH_PASSWORD=x\n")
    unused = f"; {here} is not used; the settings are those of {tool.env_file}"
    assert rows_of(tool, status=0)[".env"]["detail"].endswith(unused)
