"""The launcher's server, which answers the workers' requests (`app.runs.launcher.protocol`).

The launcher has everything imported and forks a supervisor for each job, or reuses an idle one: a
new Python for each job would cost 20 ms and 10 MB. It keeps the queue, because it alone sees every
start and every end. When a supervisor dies before its job's end, it closes the job as lost.

Workers never fork, so nothing of a worker (descriptors, signal masks, environment, memory) reaches
a job. The launcher's environment is the jobs' environment. Only the master and its workers may
connect: jobs, which run as the same user, are refused.
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
from app.records.job_records import JobEnd, JobRequest
from app.records.kept_run import KeptRun
from app.records.run import RunExit, RunStart
from app.runs.answer_worker import answer_worker
from app.runs.launcher.address import LOCK, SOCKET, address, peer_of
from app.runs.launcher.children import Children
from app.runs.launcher.dispatcher import Dispatcher
from app.runs.launcher.pool import Pool
from app.runs.launcher.protocol import parse_generation, parse_request
from app.runs.launcher.queue import Queue
from app.runs.launcher.start_limits import StartLimits
from app.runs.signal_wakeup import handle_signals, watch_signals
from app.state.files import discard, is_same
from app.state.process_lock import acquire
from app.state.record_file import types_of

#: The longest request, in bytes.
LONGEST_REQUEST = 1 << 14
#: Seconds that a connected worker has to send its request.
_PATIENCE = 5.0
#: Milliseconds between two checks of the socket's file.
CHECK_INTERVAL = 2000


def main(arguments: list[str]) -> None:
    """Serve until the master exits, or until a worker of a newer generation sends a request.

    Arguments: state folder, the CLI's path, generation, how many jobs may run and how many may
    wait, how many bytes of disk must be free for a start, how many bytes of memory runs without a
    job may have, how many turns they may begin, and the pid and start time of the master. Returns
    at once if another launcher serves already.
    """
    state, claude, generation, most_running, most_waiting, min_free, *rest = arguments
    runs_memory, own_turns, master_pid, master_started = rest
    master = processes.open_process(Process(int(master_pid), int(master_started)))
    lock = acquire(f"{state}/{LOCK}")
    if lock is None or master is None:
        return
    handle_signals()
    processes.become_subreaper()
    queue = Queue(state, int(most_running), int(most_waiting))
    limits = StartLimits(int(min_free), int(runs_memory), int(own_turns))
    launcher = _Launcher(state, claude, generation, lock, master, int(master_pid), queue, limits)
    for kind in (JobRequest, JobEnd, RunStart, RunExit, Process, KeptRun):
        types_of(kind)
    # Supervisors share this memory until the garbage collector touches it.
    gc.collect()
    gc.freeze()
    gc.disable()
    replaced_by = launcher.serve()
    if replaced_by is not None:
        # Before the answer: the worker then starts a launcher, which needs socket and lock.
        os.close(launcher.lock)
        answer_worker(replaced_by, "stale")


def listen(state: str) -> socket.socket:
    """Open the listening socket; replaces the file of a dead launcher's socket."""
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        discard(f"{state}/{SOCKET}")
        listener.bind(address(folder))
    finally:
        os.close(folder)
    listener.listen(1024)
    # A connection may be closed before it is accepted.
    listener.setblocking(False)
    return listener


class _Launcher:
    def __init__(
        self,
        state: str,
        claude: str,
        generation: str,
        lock: int,
        master: int,
        master_pid: int,
        queue: Queue,
        limits: StartLimits,
    ) -> None:
        #: The open lock file; its lock keeps other launchers from serving.
        self.lock = lock
        self._state = state
        self._generation = parse_generation(generation)
        self._master = master
        self._master_pid = master_pid
        self._wakeup = watch_signals()
        self._poll = select.poll()
        for descriptor in (master, self._wakeup):
            self._poll.register(descriptor, select.POLLIN)
        self._listen()
        children = Children()
        pool = Pool(state, claude, dict(os.environb), children, self._poll, limits.own_turns)
        self._dispatcher = Dispatcher(
            state, queue, children, pool, self._poll, limits, self._send_event
        )
        #: Connections without a request so far, and their deadlines, by descriptor.
        self._pending: dict[int, tuple[socket.socket, float]] = {}
        #: Connections of workers that receive events, by descriptor.
        self._subscribers: dict[int, socket.socket] = {}
        self._done = False
        #: The connection of a worker of a newer generation.
        self._replaced_by: socket.socket | None = None
        self._dispatcher.recover()

    def serve(self) -> socket.socket | None:
        """Serve; returns the connection to answer `stale`, if a newer generation ended this."""
        while not self._done:
            timeout = self._dispatcher.schedule()
            for descriptor, _ in self._poll.poll(CHECK_INTERVAL if timeout is None else timeout):
                if descriptor == self._master:
                    return None
                self._on_readable(descriptor)
            self._dispatcher.retry()
            self._close_overdue()
            self._keep_address()
        self._listener.close()
        self._dispatcher.publish()
        return self._replaced_by

    def _on_readable(self, descriptor: int) -> None:
        if descriptor == self._wakeup:
            if signal.SIGTERM in os.read(self._wakeup, 4096):
                self._done = True
            self._dispatcher.reap()
        elif descriptor == self._listener.fileno():
            self._accept()
        elif descriptor in self._pending:
            self._handle_request(descriptor)
        elif descriptor in self._dispatcher:
            self._dispatcher.on_readable(descriptor)
        elif descriptor in self._subscribers:
            self._poll.unregister(descriptor)
            self._subscribers.pop(descriptor).close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            # No descriptor is free: the worker has to wait.
            time.sleep(0.01)
            return
        if not self._is_from_gateway(connection):
            connection.close()
            return
        connection.setblocking(False)
        self._pending[connection.fileno()] = (connection, time.monotonic() + _PATIENCE)
        self._poll.register(connection, select.POLLIN)

    def _is_from_gateway(self, connection: socket.socket) -> bool:
        """Whether the other end is the master or its child, which no job is."""
        pid = peer_of(connection)
        try:
            return pid == self._master_pid or processes.parent_of(pid) == self._master_pid
        except OSError:
            return False

    def _close_overdue(self) -> None:
        """Close connections that sent no request in time."""
        now = time.monotonic()
        overdue = [number for number, (_, until) in self._pending.items() if until < now]
        for descriptor in overdue:
            self._poll.unregister(descriptor)
            self._pending.pop(descriptor)[0].close()

    def _listen(self) -> None:
        self._listener = listen(self._state)
        self._bound = os.lstat(f"{self._state}/{SOCKET}")
        self._poll.register(self._listener, select.POLLIN)

    def _keep_address(self) -> None:
        """Listen again if a job has removed the socket; stop if another launcher serves."""
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

    def _handle_request(self, descriptor: int) -> None:
        connection, _ = self._pending.pop(descriptor)
        self._poll.unregister(descriptor)
        try:
            request = parse_request(connection.recv(LONGEST_REQUEST))
        except (OSError, ValueError):
            connection.close()
            return
        connection.settimeout(_PATIENCE)
        if request.generation.is_newer(self._generation):
            self._done, self._replaced_by = True, connection
        elif request.command == "start":
            self._dispatcher.start(request.job, request.continues, request.spare, connection)
        elif request.command == "look":
            connection.close()
            self._dispatcher.drop_cancelled()
        else:
            self._subscribers[connection.fileno()] = connection
            self._poll.register(connection, select.POLLIN)
            # It receives events from now on, and looks for earlier ends itself.
            with suppress(OSError):
                connection.send(b"staying\n", socket.MSG_DONTWAIT)

    def _send_event(self, event: str, job_id: str) -> None:
        """Send an event to one subscriber, if any. Workers look for ends from time to time, too."""
        for connection in self._subscribers.values():
            try:
                connection.send(f"{event} {job_id}\n".encode(), socket.MSG_DONTWAIT)
            except OSError:
                # The worker has died, or its socket is full.
                continue
            return
