"""`claudecode2api serve`: the gateway in the foreground."""

import signal
import socket
from pathlib import Path

import pytest

from tests.support.tool import Tool, serving


def test_serve_is_the_gateway_in_the_foreground(tool: Tool, fake_claude: Path) -> None:
    with serving(tool, fake_claude) as served:
        assert tool.run("ps").returncode == 0
        assert Path(f"/proc/{served.pid}/cwd").readlink() == tool.folder
        served.send_signal(signal.SIGINT)
        assert served.wait(20) == 0


def test_serve_takes_no_settings_that_cannot_be_used(tool: Tool) -> None:
    toml = tool.folder / "claudecode2api.toml"
    for text, complaint in (
        ("", b"cannot use AUTH_PASSWORD: it is not set"),
        ('auth_password_file = "/nowhere"', b"cannot use 'auth_password_file' in claudecode2api."),
        ("\nport = '1'", b"cannot use 'port' in claudecode2api.toml, line 2: it must be a whole "),
    ):
        toml.write_text(text, encoding="utf-8")
        done = tool.configure().run("serve")
        assert done.returncode == 78
        assert done.stderr.startswith(complaint)
        assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("answer", "variables", "is_hinted"),
    [
        ("false", {}, True),
        ("true", {}, False),
        # It is not asked then.
        ("false", {"ANTHROPIC_API_KEY": "dummy"}, False),
    ],
)
def test_a_start_without_a_login_notes_how_to_log_in(
    tool: Tool, tmp_path: Path, answer: str, variables: dict[str, str], is_hinted: bool
) -> None:
    claude = tmp_path / "claude"
    status = f"echo '{{\"loggedIn\": {answer}}}'"
    claude.write_text(
        f"#!/bin/sh\ncase $1 in --version) echo 1.0 ;; *) {status} ;; esac\n", encoding="utf-8"
    )
    claude.chmod(0o755)
    # The gateway cannot listen there, and ends.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = tool.configure(
            AUTH_PASSWORD="old",  # noqa: S106 - no user has it
            PORT=port,
            CLAUDE_PATH=str(claude),
            STATE_DIR=str(tmp_path / "state"),
            **variables,
        ).run("serve")
    assert done.returncode == 78
    hint = f"the CLI is not logged in, so jobs fail: run {claude} auth login, or set "
    assert done.stderr.decode().startswith(hint) == is_hinted
    assert b"cannot listen on" in done.stderr
