"""The process that makes the checks for `GET /doctor`. Uses gevent."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gevent.lock import BoundedSemaphore

from app.cli.probe import Probe
from app.setting_sources import ENV_FILE, env_file_path

#: Seconds that a client waits for the checks.
PATIENCE = 10.0

_FOLDER = Path(__file__).parents[2]
# No file of another program in the current folder takes the place of a module.
_PYTHON = [sys.executable, "-P", "-B", "-X", "utf8", "-c"]
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from app.tool.doctor_rows import main
main(sys.argv[1])
"""
_LONGEST = 1 << 18

Row = dict[str, Any]


class DoctorProcess:
    """Makes the checks in a process of its own, one at a time in each worker.

    That process is never killed: it may have asked the CLI about its login, and that must not be
    interrupted. Each of its checks has a limit, so it ends by itself.
    """

    def __init__(self, environ: Mapping[str, str], patience: float = PATIENCE) -> None:
        """`environ` is the gateway's environment."""
        env_file = env_file_path(environ).absolute()
        self._environ = {**environ, ENV_FILE: str(env_file)}
        self._patience = patience
        self._turn = BoundedSemaphore()
        self._running: Probe | None = None

    def rows(self) -> list[Row]:
        """The rows. A last one says so if they are not all: the process is slow, or was ended."""
        with self._turn:
            probe, self._running = self._running, None
            try:
                if probe is None:
                    command = [*_PYTHON, _PROGRAM, str(_FOLDER)]
                    probe = Probe(command, self._environ)
                has_ended = probe.wait(self._patience)
            except OSError as error:
                return [_failed(f"cannot run the checks: {error.strerror}")]
            rows = _read(probe.stdout(_LONGEST))
            if not has_ended:
                # The next request waits for the same one.
                self._running = probe
                within = f"{self._patience:g} s"
                return [*rows, _failed(f"the next check has not ended within {within}")]
            status = probe.status
            probe.close()
        if status != 0:
            rows.append(_failed(f"the process of the checks ended with status {status}"))
        return rows


def _read(printed: bytes) -> list[Row]:
    """The rows in what the process has printed so far, a line each."""
    rows = []
    for line in printed.split(b"\n")[:-1]:
        check = json.loads(line)
        rows.append(
            {
                "check": check["name"],
                "status": check["status"],
                "message": check["detail"],
                "remedy": check["fix"],
            }
        )
    return rows


def _failed(message: str) -> Row:
    remedy = "run claudecode2api doctor on the gateway's machine"
    return {"check": "doctor", "status": "failed", "message": message, "remedy": remedy}
