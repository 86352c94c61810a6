"""`claudecode2api serve`: the gateway in the foreground."""

import signal
from pathlib import Path

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
