"""The launcher: one small server, everything imported, that forks a supervisor per job.

A Python of its own for each job would cost 20 ms and 10 MB; a fork costs a third of a
millisecond and shares the memory. Workers of the gateway never fork, so nothing of theirs
(descriptors, signal masks, environment, memory) reaches a job. The launcher's environment
is the jobs' environment.

One request a connection, on the Unix socket `STATE_DIR/launcher`:

    start <id> <generation>   →  started | failed <why>
                                 stale (from a launcher of another generation, which exits)

A connection that closes without an answer says that launcher or supervisor died. A
supervisor that dies before its job's end is noticed here, and the job is closed as lost.
"""

import fcntl
import functools
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable

from app.jobs import processes
from app.jobs.processes import Process
from app.jobs.recovery import close_lost
from app.jobs.spool import JobDirectory
from app.jobs.supervisor import (
    CannotStart,
    handle_signals,
    prepare,
    supervise,
    watch_signals,
)

SOCKET = "launcher"
LOCK = "launcher.lock"
#: Seconds that a connected worker has for its one line.
_PATIENCE = 5.0


def main(arguments: list[str]) -> None:
    """Serve until the owner ends, or until a worker of another generation asks.

    Arguments: state folder, the CLI's path, generation, and the pid and start time of the
    owner, the gateway's master process. Returns at once if another launcher serves already.
    """
    state, claude, generation, owner_pid, owner_started = arguments
    owner = processes.open_process(Process(int(owner_pid), int(owner_started)))
    # A record lock (fcntl(2)) belongs to this process alone: no supervisor inherits it.
    lock = os.open(f"{state}/{LOCK}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    if owner is None:
        return
    launcher = _Launcher(state, claude, generation)
    poll = select.poll()
    for descriptor in (owner, launcher.listener.fileno(), launcher.wakeup):
        poll.register(descriptor, select.POLLIN)
    processes.boot_id()
    # What exists now is shared with every supervisor; the collector must not touch it.
    gc.collect()
    gc.freeze()
    gc.disable()
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if owner in ready:
            return
        if launcher.wakeup in ready and launcher.reap():
            return
        if launcher.listener.fileno() in ready:
            connection, _ = launcher.listener.accept()
            if not launcher.serve(connection):
                os.close(lock)
                _answer(connection, "stale")
                return


def listen(state: str) -> socket.socket:
    """The listening socket, in place of one that a dead launcher left."""
    listener = socket.socket(socket.AF_UNIX)
    directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.unlink(SOCKET, dir_fd=directory)
    except FileNotFoundError:
        pass
    listener.bind(address(directory))
    os.close(directory)
    listener.listen(1024)
    return listener


def address(directory: int) -> str:
    """The socket's address by an open folder: a path may be too long for sun_path (unix(7))."""
    return f"/proc/self/fd/{directory}/{SOCKET}"


class _Launcher:
    def __init__(self, state: str, claude: str, generation: str) -> None:
        self._state = state
        self._claude = claude
        self._generation = generation
        self._environment = dict(os.environb)
        self._supervised: dict[int, str] = {}
        handle_signals()
        self.wakeup = watch_signals()
        self.listener = listen(state)

    def serve(self, connection: socket.socket) -> bool:
        """Answer one request; False if this launcher is to make room for another."""
        connection.settimeout(_PATIENCE)
        try:
            words = connection.recv(1024).decode().split()
        except (OSError, UnicodeDecodeError):
            words = []
        if len(words) == 3 and words[0] == "start":
            if words[2] != self._generation:
                self.listener.close()
                return False
            self._start(connection, JobDirectory(self._state, words[1]))
        connection.close()
        return True

    def reap(self) -> bool:
        """Wait for the supervisors that have ended; close the jobs of those that died.

        Returns whether the launcher was told to end.
        """
        numbers = os.read(self.wakeup, 4096)
        while self._supervised:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            job_id = self._supervised.pop(pid, None)
            if status != 0 and job_id:
                lost = JobDirectory(self._state, job_id)
                self._fork("", functools.partial(close_lost, lost))
        return signal.SIGTERM in numbers

    def _start(self, connection: socket.socket, directory: JobDirectory) -> None:
        try:
            prepared = prepare(directory, self._claude, self._environment)
        except (CannotStart, OSError) as error:
            _answer(connection, f"failed {error}")
            return
        self._fork(
            directory.id, lambda: supervise(prepared, lambda message: _answer(connection, message))
        )
        for descriptor in (prepared.stdin, prepared.output, prepared.errors):
            os.close(descriptor)
        prepared.feeder.close()

    def _fork(self, job_id: str, work: Callable[[], object]) -> None:
        """Do some work in a child; it is noticed if that dies for a job."""
        pid = os.fork()
        if pid:
            self._supervised[pid] = job_id
            return
        code = 1
        try:
            # A supervisor that held the socket would take requests and never answer.
            self.listener.close()
            os.setsid()
            work()
            code = 0
        except BaseException:
            # Leave without unwinding the launcher's frames, which belong to the parent.
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)


def _answer(connection: socket.socket, message: str) -> None:
    try:
        connection.sendall(message.encode() + b"\n")
    except OSError:
        # The worker that asked has gone; what is on disk tells the others.
        return
    finally:
        connection.close()
