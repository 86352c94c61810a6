"""Ask the launcher to start a job; start a launcher if there is none.

Ordinary blocking sockets, which gevent turns into waiting for others.
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

#: Seconds that a new launcher may take until it listens, and a supervisor until it answers.
LAUNCHER_PATIENCE = 20.0
SUPERVISOR_PATIENCE = 60.0
# What dies or is replaced again and again is not waited for.
_TRIES = 5

_ROOT = Path(__file__).resolve().parents[3]
# The launcher's Python reads nothing from its environment or folder: both are the jobs'.
_PROGRAM = """\
import sys
sys.path.insert(0, sys.argv[1])
from app.runs.launcher.server import main
main(sys.argv[2:])"""


class Capacity(NamedTuple):
    """How many jobs run at once, how many may wait for that, and the disk's bytes for a start."""

    running: int
    waiting: int
    min_free: int


class Launch:
    """Starts jobs of one state folder, with one CLI and one environment for it.

    The launcher ends with `owner`. A launcher of an older `generation` (another CLI, other
    code, another environment or capacity) is replaced; its running jobs do not notice, and
    those that wait keep their places.
    """

    def __init__(
        self,
        state: str,
        claude: str,
        environment: Mapping[str, str],
        capacity: Capacity,
        generation: str,
        owner: Process,
    ) -> None:
        self._state = state
        self._claude = claude
        self._environment = dict(environment)
        self._capacity = capacity
        self._owner = owner
        self._generation = generation
        self._spawned: set[int] = set()
        #: Whether there is a launcher, or none was needed yet, as far as those know that `stay`.
        self.is_there = True

    def start(self, job_id: str, continues: str | None) -> bool:
        """Start a job; True once its CLI runs, False if it waits for its turn.

        `continues` is the session that no other job may go on with at the same time. A job
        that has been started or cancelled by somebody else counts as running: its directory
        tells. Raises JobNotStarted, which says why, and QueueFull.
        """
        for _ in range(_TRIES):
            answer = self._ask("start", job=job_id, continues=continues)
            if answer == "full":
                raise QueueFull(self._capacity.waiting)
            if answer.startswith("failed "):
                raise JobNotStarted(answer.removeprefix("failed "))
            if answer in ("started", "known", "queued"):
                return answer != "queued"
            # The launcher or the supervisor died in the middle of it, or made room for ours.
            # A job that was claimed is not started twice.
        raise JobNotStarted("cannot start the job: its supervisor died")

    def tell_of_cancellation(self) -> None:
        """Have the launcher forget jobs that were cancelled while they waited; does not wait."""
        with self._connect() as connection, contextlib.suppress(OSError):
            connection.sendall(self._request("look"))

    def stay(self, tell: Callable[[str, str], None]) -> bool:
        """Have a launcher; returns when it has ended, and whether that was to make room for ours.

        `tell` is told `staying` once, and of all that stay one is told `started` and `ended`,
        with a job's id, when a job's turn comes and when it ends. Raises JobNotStarted if there
        is no launcher and none can be started.
        """
        told = b""
        stale = False
        with self._connect() as connection, contextlib.suppress(OSError):
            connection.sendall(self._request("stay"))
            self.is_there = True
            while received := connection.recv(4096):
                *lines, told = (told + received).split(b"\n")
                for line in lines:
                    event, _, job_id = line.decode().partition(" ")
                    tell(event, job_id)
                    stale = event == "stale"
        return stale

    def is_owned(self) -> bool:
        """Whether the owner, with which every launcher ends, is still there."""
        return processes.identify(self._owner.pid) == self._owner

    def _request(self, ask: str, **named: str | None) -> bytes:
        request = {"ask": ask, "generation": self._generation, **named}
        return json.dumps(request).encode() + b"\n"

    def _ask(self, ask: str, **named: str | None) -> str:
        with self._connect() as connection:
            connection.settimeout(SUPERVISOR_PATIENCE)
            answer = b""
            try:
                connection.sendall(self._request(ask, **named))
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
            connection = self._reach()
            if connection is not None:
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

    def _reach(self) -> socket.socket | None:
        """A connection to the launcher, or None if none listens, or a job in its place."""
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
            # Paths are the same bytes here as in the gateway, whatever the locale is.
            "-X",
            "utf8",
            "-c",
            _PROGRAM,
            str(_ROOT),
            self._state,
            self._claude,
            self._generation,
            *(str(number) for number in self._capacity),
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


def generation(claude: str, environment: Mapping[str, str], capacity: Capacity) -> str:
    """What must be the same for a running launcher to serve us, with the code as it is now.

    Of two that differ, the one that was read later is to be served (`launcher_request.Generation`).
    """
    code = sorted((str(path), path.stat().st_mtime_ns) for path in _ROOT.glob("app/**/*.py"))
    known = json.dumps([claude, sorted(environment.items()), capacity, code, sys.version])
    digest = hashlib.sha256(known.encode(errors="surrogateescape")).hexdigest()
    # This clock goes on over a change of the time, and starts anew with the machine.
    return f"{time.clock_gettime_ns(time.CLOCK_BOOTTIME)}.{digest}"
