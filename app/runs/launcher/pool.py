"""The supervisors at hand: forked ahead, given a job, taken back when it has ended.

A fork costs a third of a millisecond, and as much again four times over until the pages that
a supervisor needs are its own. So one whose job has ended is given the next one, and one at
least is always ready. Standard library alone.
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

#: Supervisors without a job that are kept; 1 is always ready.
MOST_IDLE = 8
#: Jobs after which a supervisor makes room for a fresh one, so that none grows for ever.
JOBS_EACH = 500
# Looks for what a dead supervisor left; each finds the children of those that the last ended.
_ORPHAN_ROUNDS = 200


class Reaped(NamedTuple):
    """A child that has ended: the job that it worked for, "" for none, and its exit."""

    pid: int
    job_id: str
    status: int


class Pool:
    """The launcher's children. Their descriptors are registered with its `poll`."""

    def __init__(
        self, state: str, claude: str, environment: Mapping[bytes, bytes], poll: "select.poll"
    ) -> None:
        self._state = state
        self._claude = claude
        self._environment = environment
        self._poll = poll
        #: Each supervisor's end of a socket pair, by its descriptor, and its pid.
        self._supervisors: dict[int, tuple[socket.socket, int]] = {}
        self._idle: list[int] = []
        #: The job that each child works for, by its pid; "" for none.
        self._jobs: dict[int, str] = {}

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._supervisors

    def keep_ready(self) -> None:
        """Have a supervisor ready for the next job. Raises OSError if none can be forked."""
        if not self._idle:
            self._idle.append(self._fork_supervisor())

    def hand_over(self, job_id: str, connection: socket.socket | None) -> None:
        """Give a job to a supervisor, which answers on this connection whether it starts.

        Raises OSError if there is none and none can be forked.
        """
        descriptors = [] if connection is None else [connection.fileno()]
        while True:
            self.keep_ready()
            descriptor = self._idle.pop()
            control, pid = self._supervisors[descriptor]
            try:
                socket.send_fds(control, [job_id.encode()], descriptors)
            except OSError:
                # It was killed while it waited.
                self._dismiss(descriptor)
                continue
            self._jobs[pid] = job_id
            return

    def hear(self, descriptor: int) -> str | None:
        """What a supervisor says: the id of its job, which has ended; None if it ends itself."""
        control, pid = self._supervisors[descriptor]
        try:
            said = control.recv(64)
        except BlockingIOError:
            # The number has passed to a new one since the poll.
            return None
        except ConnectionResetError:
            said = b""
        if not said or pid not in self._jobs:
            # It ends, or has died since it said so.
            self._dismiss(descriptor)
            return None
        ended, self._jobs[pid] = self._jobs[pid], ""
        self._idle.append(descriptor)
        if len(self._idle) > MOST_IDLE:
            self._dismiss(self._idle.pop(0))
        return ended

    def reap(self) -> Iterator[Reaped]:
        """Wait for every child that has ended."""
        while self._jobs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield Reaped(pid, self._jobs.pop(pid, ""), status)

    def end_orphans(self) -> None:
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

    def fork(self, work: Callable[[], object], kept: int | None = None) -> int:
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

    def _dismiss(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        self._supervisors.pop(descriptor)[0].close()
        if descriptor in self._idle:
            self._idle.remove(descriptor)

    def _fork_supervisor(self) -> int:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = self.fork(lambda: self._work(theirs), theirs.fileno())
        theirs.close()
        ours.setblocking(False)
        self._supervisors[ours.fileno()] = (ours, pid)
        self._poll.register(ours, select.POLLIN)
        return ours.fileno()

    def _work(self, control: socket.socket) -> None:
        """In a supervisor: one job after the other, until the launcher has gone."""
        processes.become_subreaper()
        wakeup = watch_signals()
        for left in reversed(range(JOBS_EACH)):
            try:
                job_id, descriptors, _, _ = socket.recv_fds(control, 256, 1)
            except ConnectionResetError:
                # The launcher was killed, and had not read what we said.
                return
            if not job_id:
                return
            connection = None
            for descriptor in descriptors:
                # Or the CLI would inherit it; recv_fds ignores MSG_CMSG_CLOEXEC (Python 3.11).
                os.set_inheritable(descriptor, False)
                connection = socket.socket(fileno=descriptor)
            clean = supervise(
                Job(self._state, job_id.decode()),
                self._claude,
                self._environment,
                wakeup,
                partial(answer, connection),
            )
            if not clean or not left:
                return
            try:
                control.send(b"idle")
            except OSError:
                return


def answer(connection: socket.socket | None, message: str) -> None:
    """Tell the worker that asked, if it is still there, and close its connection."""
    if connection is None:
        return
    try:
        connection.sendall(message.encode() + b"\n")
    except OSError:
        # The worker that asked has gone; what is on disk tells the others.
        return
    finally:
        connection.close()


def _close(descriptor: int) -> None:
    # The one by which the folder was listed is closed already.
    with suppress(OSError):
        os.close(descriptor)
