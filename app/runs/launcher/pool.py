"""The pool of supervisors, which are forked ahead of their jobs.

A fork takes 0.3 ms, and the pages that a supervisor copies take 1.3 ms more. So a supervisor is
reused, and one is always ready. Standard library alone, because the launcher imports this.
"""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from app import processes
from app.records.job import Job
from app.runs.signal_wakeup import watch_signals
from app.runs.supervisor.supervise import supervise

#: How many idle supervisors are kept; 1 is always ready.
MOST_IDLE = 8
#: Jobs after which a supervisor is replaced, so that its memory does not grow for ever.
JOBS_EACH = 500
# How often to look for a dead supervisor's descendants: each look finds one more generation.
_ORPHAN_ROUNDS = 200


class ChildExit(NamedTuple):
    """The exit of a child: the id of the job that it had, "" for none, and its wait status."""

    pid: int
    job_id: str
    status: int


class Pool:
    """The launcher's children. Their control sockets are registered with `poll`."""

    def __init__(
        self, state: str, claude: str, environment: Mapping[bytes, bytes], poll: "select.poll"
    ) -> None:
        self._state = state
        self._claude = claude
        self._environment = environment
        self._poll = poll
        #: Each supervisor's control socket and pid, by the socket's descriptor.
        self._supervisors: dict[int, tuple[socket.socket, int]] = {}
        self._idle: list[int] = []
        #: The id of each child's job, by the child's pid; "" for none.
        self._jobs: dict[int, str] = {}

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._supervisors

    def keep_ready(self) -> None:
        """Fork a supervisor if none is idle. Raises OSError."""
        if not self._idle:
            self._idle.append(self._fork_supervisor())

    def assign(self, job_id: str, connection: socket.socket | None) -> None:
        """Give a job to a supervisor, which answers on this connection whether the job starts.

        Raises OSError if no supervisor is idle and none can be forked.
        """
        descriptors = [] if connection is None else [connection.fileno()]
        while True:
            self.keep_ready()
            descriptor = self._idle.pop()
            control, pid = self._supervisors[descriptor]
            try:
                socket.send_fds(control, [job_id.encode()], descriptors)
            except OSError:
                # It was killed while it was idle.
                self._release(descriptor)
                continue
            self._jobs[pid] = job_id
            return

    def on_readable(self, descriptor: int) -> str | None:
        """Read a supervisor's message; returns the id of its job, which has ended, or None."""
        control, pid = self._supervisors[descriptor]
        try:
            message = control.recv(64)
        except BlockingIOError:
            # The descriptor has been reused since the poll.
            return None
        except ConnectionResetError:
            message = b""
        if not message or pid not in self._jobs:
            # It is exiting, or has died.
            self._release(descriptor)
            return None
        ended, self._jobs[pid] = self._jobs[pid], ""
        self._idle.append(descriptor)
        if len(self._idle) > MOST_IDLE:
            self._release(self._idle.pop(0))
        return ended

    def reap(self) -> Iterator[ChildExit]:
        """Reap every child that has exited."""
        while self._jobs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield ChildExit(pid, self._jobs.pop(pid, ""), status)

    def kill_orphans(self) -> None:
        """Kill a dead supervisor's descendants: they are now children of the launcher."""
        for _ in range(_ORPHAN_ROUNDS):
            children = processes.children_of(os.getpid())
            orphans = [process for process in children if process.pid not in self._jobs]
            if not orphans:
                return
            for process in orphans:
                with suppress(PermissionError):
                    processes.send_signal(process, signal.SIGKILL)
            # Their children become the launcher's now.
            time.sleep(0.002)

    def fork(self, work: Callable[[], object], kept: int | None = None) -> int:
        """Do some work in a child, which keeps the standard streams and the descriptor `kept`."""
        pid = os.fork()
        if pid:
            self._jobs[pid] = ""
            return pid
        code = 1
        try:
            os.setsid()
            # With the listening socket, it would accept requests and never answer. With the
            # control sockets, other supervisors would not notice that the launcher has died.
            signal.set_wakeup_fd(-1)
            for name in os.listdir("/proc/self/fd"):
                if int(name) > 2 and int(name) != kept:
                    _close(int(name))
            work()
            code = 0
        except BaseException:
            # The launcher's frames are not unwound: they belong to the parent.
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def _release(self, descriptor: int) -> None:
        """Close a supervisor's control socket, which ends it if it lives."""
        self._poll.unregister(descriptor)
        self._supervisors.pop(descriptor)[0].close()
        if descriptor in self._idle:
            self._idle.remove(descriptor)

    def _fork_supervisor(self) -> int:
        control, remote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = self.fork(lambda: self._serve_jobs(remote), remote.fileno())
        remote.close()
        control.setblocking(False)
        self._supervisors[control.fileno()] = (control, pid)
        self._poll.register(control, select.POLLIN)
        return control.fileno()

    def _serve_jobs(self, control: socket.socket) -> None:
        """Run in a supervisor: serve one job after the other, until the launcher exits."""
        processes.become_subreaper()
        wakeup = watch_signals()
        for left in reversed(range(JOBS_EACH)):
            try:
                job_id, descriptors, _, _ = socket.recv_fds(control, 256, 1)
            except ConnectionResetError:
                # The launcher was killed before it read the last message.
                return
            if not job_id:
                return
            connection = None
            for descriptor in descriptors:
                # The CLI must not inherit it: recv_fds ignores MSG_CMSG_CLOEXEC (Python 3.11).
                os.set_inheritable(descriptor, False)
                connection = socket.socket(fileno=descriptor)
            is_clean = supervise(
                Job(self._state, job_id.decode()),
                self._claude,
                self._environment,
                wakeup,
                partial(answer, connection),
            )
            if not is_clean or not left:
                return
            try:
                control.send(b"idle")
            except OSError:
                return


def answer(connection: socket.socket | None, message: str) -> None:
    """Answer a worker's request, if the worker is still there, and close the connection."""
    if connection is None:
        return
    try:
        connection.sendall(message.encode() + b"\n")
    except OSError:
        # The worker has died; the other workers read the job's folder.
        return
    finally:
        connection.close()


def _close(descriptor: int) -> None:
    # The descriptor that listed the folder is closed already.
    with suppress(OSError):
        os.close(descriptor)
