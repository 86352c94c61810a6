"""`claudecode2api serve`: the gateway in the foreground."""

import signal
import subprocess
from pathlib import Path

from tests.support.gateway import eventually, free_port, write_fake
from tests.support.tool import Tool


def test_serve_is_the_gateway_in_the_foreground(tool: Tool, tmp_path: Path) -> None:
    port = str(free_port())
    tool.configure(
        AUTH_PASSWORD="x",  # noqa: S106 - nobody's
        PORT=port,
        CLAUDE_PATH=str(write_fake(tmp_path)),
        STATE_DIR=str(tmp_path / "state"),
    )
    with tool.start("serve", stderr=subprocess.DEVNULL) as served:
        try:
            eventually(lambda: tool.run("ps").returncode == 0)
            assert Path(f"/proc/{served.pid}/cwd").readlink() == tool.folder
        finally:
            served.send_signal(signal.SIGINT)
        assert served.wait(20) == 0


def test_serve_takes_no_settings_that_cannot_be_used(tool: Tool) -> None:
    done = tool.configure().run("serve")
    assert done.returncode == 78
    assert done.stderr.startswith(b"cannot use AUTH_PASSWORD: it is not set")
