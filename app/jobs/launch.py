"""Ask the launcher to start a job; start a launcher if there is none.

Ordinary blocking sockets, which gevent turns into waiting for others.
"""

import hashlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from app.errors import JobNotStarted
from app.jobs import launcher
from app.jobs.processes import Process

#: Seconds that a new launcher may take until it listens, and a supervisor until it answers.
LAUNCHER_PATIENCE = 20.0
SUPERVISOR_PATIENCE = 60.0

_ROOT = Path(__file__).resolve().parents[2]
# The launcher's Python reads nothing from its environment or folder: both are the jobs'.
_PROGRAM = """\
import sys
sys.path.insert(0, sys.argv[1])
from app.jobs.launcher import main
main(sys.argv[2:])"""


class Launch:
    """Starts jobs of one state folder, with one CLI and one environment for it.

    The launcher ends with `owner`. A launcher of another `generation` (another CLI, another
    environment, other code) is replaced; its running jobs do not notice.
    """

    def __init__(
        self,
        state: str,
        claude: str,
        environment: Mapping[str, str],
        generation: str,
        owner: Process,
    ) -> None:
        self._state = state
        self._claude = claude
        self._environment = dict(environment)
        self._owner = owner
        self._generation = generation
        self._directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
        self._spawned: set[int] = set()

    def start(self, job_id: str) -> None:
        """Start the job; returns once its CLI runs. Raises JobNotStarted, which says why."""
        died = False
        for _ in range(3):
            answer = self._ask(f"start {job_id} {self._generation}\n".encode())
            if answer == "started":
                return
            if answer.startswith("failed ") and not died:
                raise JobNotStarted(answer.removeprefix("failed "))
            # Stale, or dead in the middle of it: the next one decides. A job that was
            # claimed is not started twice.
            died = died or not answer
        raise JobNotStarted("cannot start the job: its supervisor died")

    def _ask(self, request: bytes) -> str:
        with self._connect() as connection:
            connection.settimeout(SUPERVISOR_PATIENCE)
            answer = b""
            try:
                connection.sendall(request)
                while not answer.endswith(b"\n") and (received := connection.recv(4096)):
                    answer += received
            except TimeoutError:
                raise JobNotStarted(
                    f"cannot start the job: no answer within {SUPERVISOR_PATIENCE:g} s"
                ) from None
            except OSError:
                return ""
        return answer.decode(errors="replace").rstrip("\n")

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + LAUNCHER_PATIENCE
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(launcher.address(self._directory))
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
            else:
                return connection
            self._reap()
            if not self._spawned:
                # Ours may have ended because another one held the lock; if that one is gone
                # too by now, the next of ours will not end.
                self._spawn()
            if time.monotonic() > deadline:
                raise JobNotStarted(
                    f"cannot start the launcher: it does not listen after {LAUNCHER_PATIENCE:g} s"
                )
            time.sleep(0.005)

    def _spawn(self) -> None:
        arguments = [
            sys.executable,
            "-I",
            "-S",
            "-c",
            _PROGRAM,
            str(_ROOT),
            self._state,
            self._claude,
            self._generation,
            str(self._owner.pid),
            str(self._owner.started),
        ]
        # Not gevent's Popen: this takes a tenth of a millisecond whatever our size.
        pid = os.posix_spawn(
            sys.executable,
            arguments,
            self._environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[
                signal.SIGCHLD,
                signal.SIGHUP,
                signal.SIGINT,
                signal.SIGPIPE,
                signal.SIGQUIT,
                signal.SIGTERM,
                signal.SIGUSR1,
                signal.SIGUSR2,
                signal.SIGWINCH,
                signal.SIGXFSZ,
            ],
        )
        self._spawned.add(pid)

    def _reap(self) -> None:
        for pid in list(self._spawned):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._spawned.discard(pid)


def generation(claude: str, environment: Mapping[str, str]) -> str:
    """What must be the same for a running launcher to serve us, with the code as it is now."""
    code = sorted((str(path), path.stat().st_mtime_ns) for path in _ROOT.glob("app/**/*.py"))
    known = json.dumps([claude, sorted(environment.items()), code, sys.version])
    return hashlib.sha256(known.encode(errors="surrogateescape")).hexdigest()
