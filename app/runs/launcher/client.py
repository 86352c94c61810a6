"""The client of the launcher, which starts a launcher if none runs.

It uses blocking sockets, which gevent makes cooperative.
"""

import contextlib
import hashlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from app import processes
from app.errors import JobNotStarted, QueueFull
from app.processes import Process
from app.runs.launcher.address import address, peer_of

#: Seconds that a new launcher has to listen, and a supervisor to answer.
LAUNCHER_PATIENCE = 20.0
SUPERVISOR_PATIENCE = 60.0
# A launcher that dies or is replaced again and again fails the request.
_TRIES = 5

_ROOT = Path(__file__).resolve().parents[3]
# The launcher's Python ignores its environment and folder: jobs control both.
_PROGRAM = """\
import sys
sys.path.insert(0, sys.argv[1])
from app.runs.launcher.server import main
main(sys.argv[2:])"""


class Capacity(NamedTuple):
    """How many jobs may run and wait, and how many bytes of disk must be free for a start.

    Runs without a job may have `runs_memory` bytes of memory together, and begin `own_turns` turns
    by themselves.
    """

    running: int
    waiting: int
    min_free: int
    runs_memory: int
    own_turns: int


class LauncherClient:
    """Starts the jobs of one state folder, with one CLI and one environment.

    The launcher exits with the `master`. A launcher of an older `generation` (another CLI, other
    code, another environment or capacity) is replaced; its running jobs go on, and queued jobs
    keep their places.
    """

    def __init__(
        self,
        state: str,
        claude: str,
        environment: Mapping[str, str],
        capacity: Capacity,
        generation: str,
        master: Process,
    ) -> None:
        self._state = state
        self._claude = claude
        self._environment = dict(environment)
        self._capacity = capacity
        self._master = master
        self._generation = generation
        self._spawned: set[int] = set()
        #: Whether a launcher runs, or none was needed yet, as far as `subscribe` knows.
        self.is_available = True

    def start(self, job_id: str, continues: str | None, spare: bool = False) -> bool:
        """Start a job; returns True once its CLI runs, False if the job is queued.

        With `spare`, a spare can serve it. No two jobs with the same `continues`, a session, run at
        the same time. A job that was started or cancelled by another process counts as running: its
        folder has its state. Raises JobNotStarted, QueueFull.
        """
        for _ in range(_TRIES):
            answer = self._send_request("start", job=job_id, continues=continues, spare=spare)
            if answer == "full":
                raise QueueFull(self._capacity.waiting)
            if answer.startswith("failed "):
                raise JobNotStarted(answer.removeprefix("failed "))
            if answer in ("started", "known", "queued"):
                return answer != "queued"
            # The launcher or the supervisor died, or the launcher was replaced. To try again is
            # safe: a job is claimed once.
        raise JobNotStarted("cannot start the job: its supervisor died")

    def report_cancellation(self) -> None:
        """Have the launcher drop queued jobs that were cancelled; does not wait."""
        with self._connect() as connection, contextlib.suppress(OSError):
            connection.sendall(self._format_request("look"))

    def subscribe(self, on_event: Callable[[str, str], None]) -> bool:
        """Receive the launcher's events until it exits; returns whether it is being replaced.

        `on_event` is called with `staying` and "" at the beginning, then with `started` or `ended`
        and the id of a job: when a queued job starts, and when a job ends. Each event goes to one
        subscriber. Raises JobNotStarted if no launcher runs and none can be started.
        """
        pending = b""
        is_replaced = False
        with self._connect() as connection, contextlib.suppress(OSError):
            connection.sendall(self._format_request("stay"))
            self.is_available = True
            while received := connection.recv(4096):
                *lines, pending = (pending + received).split(b"\n")
                for line in lines:
                    event, _, job_id = line.decode().partition(" ")
                    on_event(event, job_id)
                    is_replaced = event == "stale"
        return is_replaced

    def is_master_alive(self) -> bool:
        """Whether the master is alive; the launcher exits with it."""
        return processes.identify(self._master.pid) == self._master

    def _format_request(self, command: str, **fields: str | bool | None) -> bytes:
        request = {"ask": command, "generation": self._generation, **fields}
        return json.dumps(request).encode() + b"\n"

    def _send_request(self, command: str, **fields: str | bool | None) -> str:
        """Send a request; returns the answer, "" if the connection closed without one."""
        with self._connect() as connection:
            connection.settimeout(SUPERVISOR_PATIENCE)
            answer = b""
            try:
                connection.sendall(self._format_request(command, **fields))
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
            connection = self._try_connect()
            if connection is not None:
                return connection
            self._reap()
            if not self._spawned:
                # The last one may have exited because another launcher held the lock. If that
                # one has exited, too, a new one gets the lock.
                self._spawn()
            if time.monotonic() > deadline:
                raise JobNotStarted(
                    f"cannot start the launcher: it does not listen after {LAUNCHER_PATIENCE:g} s"
                )
            time.sleep(0.005)

    def _try_connect(self) -> socket.socket | None:
        """A connection to the launcher; None if no process listens, or if it is a job."""
        state = os.open(self._state, os.O_RDONLY | os.O_DIRECTORY)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address(state))
        except (FileNotFoundError, ConnectionRefusedError, PermissionError):
            connection.close()
            return None
        finally:
            os.close(state)
        if processes.is_marked(peer_of(connection)):
            connection.close()
            return None
        return connection

    def _spawn(self) -> None:
        arguments = [
            sys.executable,
            "-I",
            "-S",
            # Paths are the same bytes as in the gateway, in any locale.
            "-X",
            "utf8",
            "-c",
            _PROGRAM,
            str(_ROOT),
            self._state,
            self._claude,
            self._generation,
            *(str(number) for number in self._capacity),
            str(self._master.pid),
            str(self._master.started),
        ]
        # Faster than gevent's Popen: 0.1 ms, however large the worker is.
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


def generation(claude: str, environment: Mapping[str, str], capacity: Capacity) -> str:
    """The generation of a launcher with this configuration and the code as it is now.

    Of two that differ, the later one wins (`app.runs.launcher.protocol.Generation`).
    """
    code = sorted((str(path), path.stat().st_mtime_ns) for path in _ROOT.glob("app/**/*.py"))
    content = json.dumps([claude, sorted(environment.items()), capacity, code, sys.version])
    digest = hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()
    # This clock ignores changes of the system time, and restarts with the machine.
    return f"{time.clock_gettime_ns(time.CLOCK_BOOTTIME)}.{digest}"
