"""The command `claudecode2api` for tests: a checkout of its own, and a run of the command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.settings import setting_names
from tests.support.gateway import PATIENCE, ROOT, Gateway, answers, eventually, free_port

_LINKED = ("app", "vendored", "console", "gunicorn.conf.py", "requirements.txt", ".env.example")
# Nobody's setting: the process's own.
_ITS_OWN = {"PATH", "HOME"}


class Tool:
    """A checkout with an `.env`, and the command in it, run with an environment from nothing."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        self.env_file = folder / ".env"
        self.program = folder / "scripts/claudecode2api"
        self.project = folder / "project"
        for made in (self.program.parent, self.project):
            made.mkdir(parents=True)
        for name in _LINKED:
            (folder / name).symlink_to(ROOT / name)
        (folder / "venv").symlink_to(sys.prefix)
        # Through a link it would find the real checkout.
        shutil.copy(ROOT / "scripts/claudecode2api", self.program)

    def configure(self, **settings: str) -> "Tool":
        """Write `.env`."""
        lines = [f"{name}='{value}'\n" for name, value in settings.items()]
        self.env_file.write_text("".join(lines), encoding="utf-8")
        self.env_file.chmod(0o600)
        return self

    def environment(self, **more: str) -> dict[str, str]:
        """What the command sees."""
        return {"PATH": os.defpath, "HOME": str(self.home), "LANG": "C.UTF-8", **more}

    def start(self, *arguments: str, **named: Any) -> "subprocess.Popen[bytes]":
        """Start the command; its three streams are pipes, if not asked otherwise."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        options = {"cwd": self.project, "env": self.environment(), **pipes, **named}
        return subprocess.Popen([self.program, *arguments], **options)

    def run(
        self, *arguments: str, stdin: bytes = b"", program: Path | None = None, **more: str
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run the command to its end; `more` is what else its environment holds."""
        return subprocess.run(
            [program or self.program, *arguments],
            cwd=self.project,
            env=self.environment(**more),
            input=stdin,
            capture_output=True,
            timeout=50,
            check=False,
        )


#: Runs a program as root without what lets root read everybody's files. (Another user could
#: not reach our Python.)
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def tool_of(gateway: Gateway, folder: Path) -> Tool:
    """The command with the settings of a running gateway."""
    settings = {
        name: value
        for name, value in gateway.environment.items()
        if name in setting_names() or name not in _ITS_OWN
    }
    return Tool(folder, gateway.home).configure(**settings)


@contextmanager
def serving(tool: Tool, claude: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`claudecode2api serve`, which responds and has the password "old"."""
    port = str(free_port())
    tool.configure(
        AUTH_PASSWORD="old",  # noqa: S106 - no user has it
        PORT=port,
        CLAUDE_PATH=str(claude),
        STATE_DIR=str(tool.folder.parent / "state"),
    )
    with tool.start("serve", stderr=subprocess.DEVNULL) as served:
        try:
            eventually(lambda: answers(f"http://127.0.0.1:{port}"))
            yield served
        finally:
            served.terminate()
            served.wait(PATIENCE)
