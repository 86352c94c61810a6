"""The launcher: one small server, everything imported, that gives each job a supervisor.

A Python of its own for each job would cost 20 ms and 10 MB; a fork costs a third of a
millisecond, and as much again four times over until the pages it needs are its own. So a
supervisor whose job has ended is given the next one, and one at least is always ready.
Workers of the gateway never fork, so nothing of theirs (descriptors, signal masks,
environment, memory) reaches a job. The launcher's environment is the jobs' environment.

One request a connection, on the Unix socket `STATE_DIR/launcher`:

    start <id> <generation>   →  started | failed <why>
                                 stale (from a launcher of another generation, which exits)

A connection that closes without an answer says that launcher or supervisor died. A
supervisor that dies before its job's end is noticed here, and the job is closed as lost.
"""

import fcntl
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from app.jobs import processes
from app.jobs.directory import JobDirectory
from app.jobs.processes import Process
from app.jobs.recovery import close_lost, is_dead
from app.jobs.supervisor import handle_signals, supervise, watch_signals

SOCKET = "launcher"
LOCK = "launcher.lock"
#: Supervisors without a job that are kept; 1 is always ready.
MOST_IDLE = 8
#: Jobs after which a supervisor makes room for a fresh one, so that none grows for ever.
JOBS_EACH = 500
# Looks for what a dead supervisor left; each finds the children of those that the last ended.
_ORPHAN_ROUNDS = 200
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
    handle_signals()
    processes.become_subreaper()
    processes.boot_id()
    launcher = _Launcher(state, claude, generation)
    launcher.poll.register(owner, select.POLLIN)
    launcher.recover()
    # What exists now is shared with every supervisor; the collector must not touch it.
    gc.collect()
    gc.freeze()
    gc.disable()
    while True:
        with suppress(OSError):
            launcher.keep_ready()
        for descriptor, _ in launcher.poll.poll():
            if descriptor == owner:
                return
            if descriptor == launcher.wakeup:
                if launcher.reap():
                    return
            elif descriptor != launcher.listener.fileno():
                launcher.hear(descriptor)
            else:
                try:
                    connection, _ = launcher.listener.accept()
                except OSError:
                    # No descriptor to be had; the worker waits.
                    time.sleep(0.01)
                    continue
                if not launcher.serve(connection):
                    os.close(lock)
                    _answer(connection, "stale")
                    return


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


class _Launcher:
    def __init__(self, state: str, claude: str, generation: str) -> None:
        self._state = state
        self._claude = claude
        self._generation = generation
        self._environment = dict(os.environb)
        #: Each supervisor's end of a socket pair, by its descriptor, and its pid.
        self._supervisors: dict[int, tuple[socket.socket, int]] = {}
        self._idle: list[int] = []
        #: The job that each child works for, by its pid; "" for none.
        self._jobs: dict[int, str] = {}
        self.wakeup = watch_signals()
        self.listener = listen(state)
        self.poll = select.poll()
        self.poll.register(self.wakeup, select.POLLIN)
        self.poll.register(self.listener, select.POLLIN)

    def keep_ready(self) -> None:
        """Have a supervisor ready for the next job."""
        if not self._idle:
            self._idle.append(self._fork_supervisor())

    def recover(self) -> None:
        """Close what the supervisors of an earlier launcher left if they died with it."""
        for job_id in os.listdir(f"{self._state}/live"):
            directory = JobDirectory(self._state, job_id)
            if directory.claimed_for() is not None and is_dead(directory):
                self._fork(partial(close_lost, directory))

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
            try:
                self._hand_over(words[1], connection)
            except OSError as error:
                # No process or no descriptor to be had; others may end meanwhile.
                _answer(connection, f"failed cannot start the job: {error.strerror}")
        connection.close()
        return True

    def hear(self, descriptor: int) -> None:
        """A supervisor says that its job has ended, or has ended itself."""
        if descriptor not in self._supervisors:
            # Dismissed since the poll.
            return
        control, pid = self._supervisors[descriptor]
        try:
            said = control.recv(64)
        except BlockingIOError:
            # The number has passed to a new one since the poll.
            return
        except ConnectionResetError:
            said = b""
        if said:
            self._jobs[pid] = ""
            self._idle.append(descriptor)
            if len(self._idle) > MOST_IDLE:
                self._dismiss(self._idle.pop(0))
        else:
            self._dismiss(descriptor)

    def reap(self) -> bool:
        """Wait for the children that have ended; close the jobs of supervisors that died.

        Returns whether the launcher was told to end.
        """
        numbers = os.read(self.wakeup, 4096)
        while self._jobs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            lost = JobDirectory(self._state, self._jobs.pop(pid, ""))
            # What it had not claimed, the worker that asked will ask for again.
            if status != 0 and lost.id and lost.claimed_for() is not None:
                self._end_orphans()
                self._fork(partial(close_lost, lost))
        return signal.SIGTERM in numbers

    def _end_orphans(self) -> None:
        """End what a dead supervisor left: it has become ours, even if it has lost its mark."""
        for _ in range(_ORPHAN_ROUNDS):
            ours = processes.children_of(os.getpid())
            orphans = [process for process in ours if process.pid not in self._jobs]
            if not orphans:
                return
            for process in orphans:
                with suppress(PermissionError):
                    processes.send_signal(process, signal.SIGKILL)
            # Their own children become ours now.
            time.sleep(0.002)

    def _hand_over(self, job_id: str, connection: socket.socket) -> None:
        while True:
            self.keep_ready()
            descriptor = self._idle.pop()
            control, pid = self._supervisors[descriptor]
            try:
                socket.send_fds(control, [job_id.encode()], [connection.fileno()])
            except OSError:
                # It was killed while it waited.
                self._dismiss(descriptor)
                continue
            self._jobs[pid] = job_id
            return

    def _dismiss(self, descriptor: int) -> None:
        self.poll.unregister(descriptor)
        self._supervisors.pop(descriptor)[0].close()
        if descriptor in self._idle:
            self._idle.remove(descriptor)

    def _fork_supervisor(self) -> int:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = self._fork(lambda: self._work(theirs), theirs.fileno())
        theirs.close()
        ours.setblocking(False)
        self._supervisors[ours.fileno()] = (ours, pid)
        self.poll.register(ours, select.POLLIN)
        return ours.fileno()

    def _work(self, control: socket.socket) -> None:
        """In a supervisor: one job after the other, until the launcher has gone."""
        processes.become_subreaper()
        wakeup = watch_signals()
        for left in reversed(range(JOBS_EACH)):
            job_id, descriptors, _, _ = socket.recv_fds(control, 256, 1)
            if not job_id:
                return
            # Or the CLI would inherit it; recv_fds ignores MSG_CMSG_CLOEXEC (Python 3.11).
            os.set_inheritable(descriptors[0], False)
            connection = socket.socket(fileno=descriptors[0])
            clean = supervise(
                JobDirectory(self._state, job_id.decode()),
                self._claude,
                self._environment,
                wakeup,
                partial(_answer, connection),
            )
            if not clean or not left:
                return
            try:
                control.send(b"idle")
            except OSError:
                return

    def _fork(self, work: Callable[[], object], kept: int | None = None) -> int:
        """Do some work in a child, which keeps the standard streams and one descriptor."""
        pid = os.fork()
        if pid:
            self._jobs[pid] = ""
            return pid
        code = 1
        try:
            os.setsid()
            # With the listening socket it would take requests and never answer; with others'
            # ends of socket pairs, those would never see that the launcher has gone.
            signal.set_wakeup_fd(-1)
            for name in os.listdir("/proc/self/fd"):
                if int(name) > 2 and int(name) != kept:
                    _close(int(name))
            work()
            code = 0
        except BaseException:
            # Leave without unwinding the launcher's frames, which belong to the parent.
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)


def _close(descriptor: int) -> None:
    # The one by which the folder was listed is closed already.
    with suppress(OSError):
        os.close(descriptor)


def _answer(connection: socket.socket, message: str) -> None:
    try:
        connection.sendall(message.encode() + b"\n")
    except OSError:
        # The worker that asked has gone; what is on disk tells the others.
        return
    finally:
        connection.close()
