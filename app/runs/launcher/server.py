"""The launcher: one small server, everything imported, that decides which job runs when.

A Python of its own for each job would cost 20 ms and 10 MB, so the launcher forks a supervisor
for it, or takes one whose job has ended (`pool.py`). It keeps the queue (`queue.py`,
`scheduler.py`), because it alone sees every start and every end.
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
        →  `staying`, then a line `started <id>` for each job whose turn comes and `ended <id>`
           for each that ends, told to one of those that stay; the connection is open for as
           long as this launcher is there

To a request of a newer generation (other code, another CLI, environment or limits) it answers
`stale`, whatever was asked, and makes room. Only the gateway's own processes are heard: a job,
which runs as the same user, is not. A connection that closes without an answer says
that launcher or supervisor died. A supervisor that dies before its job's end is noticed here,
and the job is closed as lost.
"""

import gc
import os
import select
import signal
import socket
import time
from contextlib import suppress

from app import processes
from app.processes import Process
from app.records.job import JobEnd, JobRequest
from app.records.run import RunExit, RunStart
from app.runs.launcher.address import LOCK, SOCKET, address, peer_of
from app.runs.launcher.pool import Pool, answer
from app.runs.launcher.queue import Queue
from app.runs.launcher.request import generation_of, read_request
from app.runs.launcher.scheduler import Turns
from app.runs.signal_wakeup import handle_signals, watch_signals
from app.state.files import discard, is_same
from app.state.process_lock import acquire
from app.state.record_file import types_of

#: The longest request, in bytes.
LONGEST_REQUEST = 1 << 14
#: Seconds that a connected worker has for its one line.
_PATIENCE = 5.0
#: Milliseconds between two looks at whether the socket is still there.
LOOK_AFTER = 2000


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
    lock = acquire(f"{state}/{LOCK}")
    if lock is None or owner is None:
        return
    handle_signals()
    processes.become_subreaper()
    queue = Queue(state, int(most_running), int(most_waiting))
    launcher = _Launcher(
        state, claude, generation, lock, owner, int(owner_pid), queue, int(min_free)
    )
    for kind in (JobRequest, JobEnd, RunStart, RunExit, Process):
        types_of(kind)
    # What exists now is shared with every supervisor; the collector must not touch it.
    gc.collect()
    gc.freeze()
    gc.disable()
    newcomer = launcher.serve()
    if newcomer is not None:
        # Who is told so must find neither the socket nor the lock taken.
        os.close(launcher.lock)
        answer(newcomer, "stale")


def listen(state: str) -> socket.socket:
    """The listening socket, in place of one that a dead launcher left."""
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        discard(f"{state}/{SOCKET}")
        listener.bind(address(folder))
    finally:
        os.close(folder)
    listener.listen(1024)
    # A connection may be gone again when its turn comes.
    listener.setblocking(False)
    return listener


class _Launcher:
    def __init__(
        self,
        state: str,
        claude: str,
        generation: str,
        lock: int,
        owner: int,
        owner_pid: int,
        queue: Queue,
        min_free: int,
    ) -> None:
        #: The open file whose lock says that no other launcher serves.
        self.lock = lock
        self._state = state
        self._generation = generation_of(generation)
        self._owner = owner
        self._owner_pid = owner_pid
        self._wakeup = watch_signals()
        self._poll = select.poll()
        for descriptor in (owner, self._wakeup):
            self._poll.register(descriptor, select.POLLIN)
        self._listen()
        pool = Pool(state, claude, dict(os.environb), self._poll)
        self._turns = Turns(state, queue, pool, self._poll, min_free, self._tell)
        #: Connections whose request has not come yet, by their descriptors, the oldest first.
        self._silent: dict[int, tuple[socket.socket, float]] = {}
        #: Connections that stay, by their descriptors.
        self._staying: dict[int, socket.socket] = {}
        self._done = False
        #: Who asked as one of a newer generation.
        self._newcomer: socket.socket | None = None
        self._turns.recover()

    def serve(self) -> socket.socket | None:
        """Answer, until there is a reason to end; returns who must be told that it is stale."""
        while not self._done:
            again = self._turns.go_on()
            for descriptor, _ in self._poll.poll(LOOK_AFTER if again is None else again):
                if descriptor == self._owner:
                    return None
                self._hear(descriptor)
            self._turns.settle()
            self._forget_silent()
            self._keep_address()
        self._listener.close()
        self._turns.publish()
        return self._newcomer

    def _hear(self, descriptor: int) -> None:
        if descriptor == self._wakeup:
            if signal.SIGTERM in os.read(self._wakeup, 4096):
                self._done = True
            self._turns.reap()
        elif descriptor == self._listener.fileno():
            self._accept()
        elif descriptor in self._silent:
            self._take(descriptor)
        elif descriptor in self._turns:
            self._turns.hear(descriptor)
        elif descriptor in self._staying:
            self._poll.unregister(descriptor)
            self._staying.pop(descriptor).close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            # No descriptor is free; the worker waits.
            time.sleep(0.01)
            return
        if not self._is_workers(connection):
            connection.close()
            return
        connection.setblocking(False)
        self._silent[connection.fileno()] = (connection, time.monotonic() + _PATIENCE)
        self._poll.register(connection, select.POLLIN)

    def _is_workers(self, connection: socket.socket) -> bool:
        """Whether the owner, or a child of it, is at the other end: a job never is."""
        pid = peer_of(connection)
        try:
            return pid == self._owner_pid or processes.parent_of(pid) == self._owner_pid
        except OSError:
            return False

    def _forget_silent(self) -> None:
        """Close connections whose one line does not come in time."""
        now = time.monotonic()
        late = [number for number, (_, until) in self._silent.items() if until < now]
        for descriptor in late:
            self._poll.unregister(descriptor)
            self._silent.pop(descriptor)[0].close()

    def _listen(self) -> None:
        self._listener = listen(self._state)
        self._bound = os.lstat(f"{self._state}/{SOCKET}")
        self._poll.register(self._listener, select.POLLIN)

    def _keep_address(self) -> None:
        """Listen anew if a job has removed the socket; end if another launcher has taken over."""
        if is_same(f"{self._state}/{SOCKET}", self._bound):
            return
        path = f"{self._state}/{LOCK}"
        if not is_same(path, os.fstat(self.lock)):
            lock = acquire(path)
            if lock is None:
                self._done = True
                return
            os.close(self.lock)
            self.lock = lock
        self._poll.unregister(self._listener)
        self._listener.close()
        self._listen()

    def _take(self, descriptor: int) -> None:
        """Take one request."""
        connection, _ = self._silent.pop(descriptor)
        self._poll.unregister(descriptor)
        try:
            request = read_request(connection.recv(LONGEST_REQUEST))
        except (OSError, ValueError):
            connection.close()
            return
        connection.settimeout(_PATIENCE)
        if request.generation.is_newer(self._generation):
            self._done, self._newcomer = True, connection
        elif request.asked == "start":
            self._turns.start(request.job, request.continues, connection)
        elif request.asked == "look":
            connection.close()
            self._turns.look()
        else:
            self._staying[connection.fileno()] = connection
            self._poll.register(connection, select.POLLIN)
            # From now on it is told of ends; what was before it must look for itself.
            with suppress(OSError):
                connection.send(b"staying\n", socket.MSG_DONTWAIT)

    def _tell(self, event: str, job_id: str) -> None:
        """Tell one of those that stay. Nobody may be there: they look for ends themselves, too."""
        for connection in self._staying.values():
            try:
                connection.send(f"{event} {job_id}\n".encode(), socket.MSG_DONTWAIT)
            except OSError:
                # It has gone, or does not listen at the moment.
                continue
            return
