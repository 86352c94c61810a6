"""The launcher: one small server, everything imported, that says which job runs and when.

A Python of its own for each job would cost 20 ms and 10 MB, so the launcher forks a
supervisor for it, or takes one whose job has ended (`app/jobs/pool.py`). It keeps the queue
(`app/jobs/queue.py`, `app/jobs/turns.py`), because it alone sees every start and every end.
Workers of the gateway never fork, so nothing of theirs (descriptors, signal masks,
environment, memory) reaches a job. The launcher's environment is the jobs' environment.

One request a connection, on the Unix socket `STATE_DIR/launcher`, as JSON on one line:

    {"ask": "start", "generation": …, "job": …, "continues": …}
        →  started | failed <why>    from the supervisor
           queued                    it will run when its turn comes
           full                      it will not: too many wait already
           known                     its directory tells what became of it
    {"ask": "look", "generation": …}
        →  nothing; whoever was cancelled while he waited is forgotten
    {"ask": "stay", "generation": …}
        →  a line with a job's id for each job that ends, told to one of those that stay; the
           connection is open for as long as this launcher is there

To a request of a newer generation (other code, another CLI, environment or limits) it answers
`stale`, whatever was asked, and makes room. A connection that closes without an answer says
that launcher or supervisor died. A supervisor that dies before its job's end is noticed here,
and the job is closed as lost.
"""

import fcntl
import gc
import json
import os
import select
import signal
import socket
import time
from contextlib import suppress

from app.jobs import processes
from app.jobs.pool import Pool, answer
from app.jobs.processes import Process
from app.jobs.queue import Queue
from app.jobs.supervisor import handle_signals, watch_signals
from app.jobs.turns import Turns

SOCKET = "launcher"
LOCK = "launcher.lock"
#: The longest request, in bytes.
LONGEST_REQUEST = 1 << 14
#: Seconds that a connected worker has for its one line.
_PATIENCE = 5.0


def main(arguments: list[str]) -> None:
    """Serve until the owner ends, or until a worker of a newer generation asks.

    Arguments: state folder, the CLI's path, generation, how many jobs may run and how many
    wait, how many bytes of the disk must be free for one to start, and the pid and start time
    of the owner, the gateway's master process. Returns at once if another launcher serves
    already.
    """
    state, claude, generation, most_running, most_waiting, min_free, *rest = arguments
    owner_pid, owner_started = rest
    owner = processes.open_process(Process(int(owner_pid), int(owner_started)))
    # A record lock (fcntl(2)) belongs to this process alone: no supervisor inherits it.
    lock = os.open(f"{state}/{LOCK}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    if owner is None:
        return
    handle_signals()
    processes.become_subreaper()
    queue = Queue(state, int(most_running), int(most_waiting))
    launcher = _Launcher(state, claude, generation, owner, queue, int(min_free))
    # What exists now is shared with every supervisor; the collector must not touch it.
    gc.collect()
    gc.freeze()
    gc.disable()
    newcomer = launcher.serve()
    if newcomer is not None:
        # Who is told so must find neither the socket nor the lock taken.
        os.close(lock)
        answer(newcomer, "stale")


def listen(state: str) -> socket.socket:
    """The listening socket, in place of one that a dead launcher left."""
    listener = socket.socket(socket.AF_UNIX)
    directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    with suppress(FileNotFoundError):
        os.unlink(SOCKET, dir_fd=directory)
    listener.bind(address(directory))
    os.close(directory)
    listener.listen(1024)
    return listener


def address(directory: int) -> str:
    """The socket's address by an open folder: a path may be too long for sun_path (unix(7))."""
    return f"/proc/self/fd/{directory}/{SOCKET}"


def is_newer(generation: str, than: str) -> bool:
    """Whether a launcher of one generation must make room for one of the other.

    A generation is `<when>.<what>`; the same thing read again later is not newer.
    """
    when, _, what = generation.partition(".")
    other_when, _, other_what = than.partition(".")
    return what != other_what and int(when) > int(other_when)


class _Launcher:
    def __init__(
        self, state: str, claude: str, generation: str, owner: int, queue: Queue, min_free: int
    ) -> None:
        self._generation = generation
        self._owner = owner
        self._wakeup = watch_signals()
        self._listener = listen(state)
        self._poll = select.poll()
        for descriptor in (owner, self._wakeup, self._listener.fileno()):
            self._poll.register(descriptor, select.POLLIN)
        pool = Pool(state, claude, dict(os.environb), self._poll)
        self._turns = Turns(state, queue, pool, self._poll, min_free, self._tell_ended)
        #: Connections that stay, by their descriptors.
        self._staying: dict[int, socket.socket] = {}
        self._done = False
        #: Who asked as one of a newer generation.
        self._newcomer: socket.socket | None = None
        self._turns.recover()

    def serve(self) -> socket.socket | None:
        """Answer, until there is a reason to end; returns who must be told that it is stale."""
        while not self._done:
            for descriptor, _ in self._poll.poll(self._turns.go_on()):
                if descriptor == self._owner:
                    return None
                self._hear(descriptor)
            self._turns.settle()
        self._listener.close()
        self._turns.publish()
        return self._newcomer

    def _hear(self, descriptor: int) -> None:
        if descriptor == self._wakeup:
            if signal.SIGTERM in os.read(self._wakeup, 4096):
                self._done = True
            self._turns.reap()
        elif descriptor == self._listener.fileno():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                # No descriptor to be had; the worker waits.
                time.sleep(0.01)
                return
            self._take(connection)
        elif descriptor in self._turns:
            self._turns.hear(descriptor)
        elif descriptor in self._staying:
            self._poll.unregister(descriptor)
            self._staying.pop(descriptor).close()

    def _take(self, connection: socket.socket) -> None:
        """Take one request."""
        connection.settimeout(_PATIENCE)
        try:
            request = json.loads(connection.recv(LONGEST_REQUEST))
            asked, generation = request["ask"], request["generation"]
        except (OSError, ValueError, KeyError, TypeError):
            connection.close()
            return
        if is_newer(generation, self._generation):
            self._done, self._newcomer = True, connection
        elif asked == "start":
            self._turns.start(request["job"], request["continues"], connection)
        elif asked == "look":
            connection.close()
            self._turns.look()
        else:
            self._staying[connection.fileno()] = connection
            self._poll.register(connection, select.POLLIN)

    def _tell_ended(self, job_id: str) -> None:
        """Tell one of those that stay that a job has ended; nobody may be there."""
        for connection in self._staying.values():
            try:
                connection.send(job_id.encode() + b"\n", socket.MSG_DONTWAIT)
            except OSError:
                # It has gone, or does not listen at the moment.
                continue
            return
