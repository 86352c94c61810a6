"""The launcher: one small server, everything imported, that says which job runs and when.

A Python of its own for each job would cost 20 ms and 10 MB, so the launcher forks a
supervisor for it, or takes one whose job has ended (`app/jobs/pool.py`). It keeps the queue
(`app/jobs/queue.py`), because it alone sees every start and every end. Workers of the gateway
never fork, so nothing of theirs (descriptors, signal masks, environment, memory) reaches a
job. The launcher's environment is the jobs' environment.

One request a connection, on the Unix socket `STATE_DIR/launcher`, as JSON on one line:

    {"ask": "start", "generation": …, "job": …, "continues": …}
        →  started | failed <why>    from the supervisor
           queued                    it will run when its turn comes
           full                      it will not: too many wait already
           known                     its directory tells what became of it
    {"ask": "look", "generation": …}
        →  nothing; whoever was cancelled while he waited is forgotten
    {"ask": "stay", "generation": …}
        →  nothing: the connection stays open for as long as this launcher is there

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
from functools import partial

from app.jobs import processes
from app.jobs.directory import JobDirectory
from app.jobs.pool import Pool, answer
from app.jobs.processes import Process
from app.jobs.queue import Queue, queued
from app.jobs.recovery import close_lost, is_dead, supervisor_of
from app.jobs.supervisor import handle_signals, watch_signals

SOCKET = "launcher"
LOCK = "launcher.lock"
#: The longest request, in bytes.
LONGEST_REQUEST = 1 << 14
#: Seconds that a connected worker has for its one line.
_PATIENCE = 5.0
#: Milliseconds between two tries at what nobody will tell us has become possible.
_AGAIN = 100


def main(arguments: list[str]) -> None:
    """Serve until the owner ends, or until a worker of a newer generation asks.

    Arguments: state folder, the CLI's path, generation, how many jobs may run and how many
    wait, and the pid and start time of the owner, the gateway's master process. Returns at
    once if another launcher serves already.
    """
    state, claude, generation, most_running, most_waiting, owner_pid, owner_started = arguments
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
    launcher = _Launcher(state, claude, generation, owner, queue)
    launcher.recover()
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
    def __init__(self, state: str, claude: str, generation: str, owner: int, queue: Queue) -> None:
        self._state = state
        self._generation = generation
        self._owner = owner
        self._queue = queue
        self._wakeup = watch_signals()
        self._listener = listen(state)
        self._poll = select.poll()
        for descriptor in (owner, self._wakeup, self._listener.fileno()):
            self._poll.register(descriptor, select.POLLIN)
        self._pool = Pool(state, claude, dict(os.environb), self._poll)
        #: Jobs that supervisors of an earlier launcher run, by a descriptor of the supervisor.
        self._adopted: dict[int, JobDirectory] = {}
        #: Jobs that one of those claimed just now; who it is will be told soon.
        self._claimed: list[JobDirectory] = []
        #: Connections that stay, by their descriptors.
        self._staying: dict[int, socket.socket] = {}
        #: Jobs whose supervisor died before it had claimed them.
        self._unlucky: set[str] = set()
        self._done = False
        #: Who asked as one of a newer generation.
        self._newcomer: socket.socket | None = None

    def recover(self) -> None:
        """Go on where an earlier launcher stopped."""
        for job_id in os.listdir(f"{self._state}/live"):
            directory = JobDirectory(self._state, job_id)
            if directory.claimed_for() is not None:
                self._adopt(directory)
        for job_id in queued(self._state):
            job = JobDirectory(self._state, job_id).job()
            if job is not None and job_id not in self._queue:
                self._queue.add(job_id, job.continues)
        self._queue.forget_cancelled()

    def serve(self) -> socket.socket | None:
        """Answer, until there is a reason to end; returns who must be told that it is stale."""
        while not self._done:
            blocked = False
            try:
                self._pool.keep_ready()
                self._start_who_may()
                self._queue.publish()
            except OSError:
                # No process, no descriptor or no room on the disk; others may end meanwhile.
                blocked = True
            timeout = _AGAIN if self._claimed or (blocked and not self._queue.is_empty()) else None
            for descriptor, _ in self._poll.poll(timeout):
                if descriptor == self._owner:
                    return None
                self._hear(descriptor)
            for directory in self._claimed[:]:
                self._claimed.remove(directory)
                self._adopt(directory)
        self._listener.close()
        with suppress(OSError):
            self._queue.publish()
        return self._newcomer

    def _hear(self, descriptor: int) -> None:
        if descriptor == self._wakeup:
            self._reap()
        elif descriptor == self._listener.fileno():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                # No descriptor to be had; the worker waits.
                time.sleep(0.01)
                return
            self._take(connection)
        elif descriptor in self._pool:
            ended = self._pool.hear(descriptor)
            if ended:
                self._forget(ended)
        elif descriptor in self._adopted:
            self._poll.unregister(descriptor)
            os.close(descriptor)
            self._close(self._adopted.pop(descriptor))
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
            self._start(request["job"], request["continues"], connection)
        elif asked == "look":
            connection.close()
            self._queue.forget_cancelled()
        else:
            self._staying[connection.fileno()] = connection
            self._poll.register(connection, select.POLLIN)

    def _start(self, job_id: str, continues: str | None, connection: socket.socket) -> None:
        """Start a job, or let it wait."""
        if job_id in self._queue:
            # Asked again, because an answer was lost.
            answer(connection, "queued" if self._queue.waits(job_id) else "known")
            return
        self._queue.add(job_id, continues)
        try:
            self._start_who_may(job_id, connection)
            if self._queue.waits(job_id):
                if self._queue.is_overfull():
                    self._queue.forget(job_id)
                    answer(connection, "full")
                    return
                # Before it is promised: the next launcher must know of it.
                self._queue.publish()
                answer(connection, "queued")
        except OSError as error:
            self._queue.forget(job_id)
            answer(connection, f"failed cannot start the job: {error.strerror}")
        connection.close()

    def _start_who_may(
        self, asking: str | None = None, connection: socket.socket | None = None
    ) -> None:
        """Start everyone whose turn it is. Raises OSError; who was to be started waits again."""
        while job_id := self._queue.take():
            try:
                self._pool.hand_over(job_id, connection if job_id == asking else None)
            except OSError:
                self._queue.put_back(job_id)
                raise

    def _reap(self) -> None:
        """Wait for the children that have ended; close the jobs of supervisors that died."""
        if signal.SIGTERM in os.read(self._wakeup, 4096):
            self._done = True
        for reaped in self._pool.reap():
            if not reaped.job_id:
                continue
            lost = JobDirectory(self._state, reaped.job_id)
            if reaped.status == 0:
                self._forget(lost.id)
            elif lost.claimed_for() is None and lost.id not in self._unlucky:
                self._unlucky.add(lost.id)
                self._queue.put_back(lost.id)
            else:
                self._pool.end_orphans()
                self._close(lost)

    def _adopt(self, directory: JobDirectory) -> None:
        """Count a job that a supervisor of an earlier launcher runs, until that one ends."""
        job = directory.job()
        if directory.id not in self._queue:
            self._queue.add_running(directory.id, job and job.continues)
        supervisor = supervisor_of(directory)
        descriptor = supervisor and processes.open_process(supervisor)
        if descriptor is not None:
            self._adopted[descriptor] = directory
            self._poll.register(descriptor, select.POLLIN)
        elif directory.ended() is None and not is_dead(directory):
            self._claimed.append(directory)
        else:
            self._close(directory)

    def _close(self, directory: JobDirectory) -> None:
        """Have a job closed whose supervisor has gone; nothing happens if it has ended."""
        self._forget(directory.id)
        with suppress(OSError):
            # Without a process to be had, a worker closes it when it looks around.
            self._pool.fork(partial(close_lost, directory))

    def _forget(self, job_id: str) -> None:
        self._queue.forget(job_id)
        self._unlucky.discard(job_id)
