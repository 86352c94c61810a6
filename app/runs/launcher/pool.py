"""The pool of supervisors, which are forked ahead of their jobs.

A fork takes 0.3 ms, and the pages that a supervisor copies take 1.3 ms more. So a supervisor is
reused, and one is always ready. Standard library alone, because the launcher imports this.
"""

import os
import select
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from app.runs.launcher.children import Children
from app.runs.launcher.spare_record import NONE as NO_SPARES
from app.runs.launcher.spare_record import SpareStart
from app.runs.supervisor.job_loop import END_KEPT, IDLE, KEEPS, READY, SPARE, serve_jobs

#: Bytes of memory of a spare (2.1.330: 88 to 112 MB).
SPARE_MEMORY = 120 << 20
#: How many idle supervisors are kept; 1 is always ready.
MOST_IDLE = 8


class _Kept:
    """A run that a supervisor keeps after the job `served`; `memory` is in bytes."""

    # Not a dataclass: what that module imports would cost each supervisor memory.
    def __init__(self, descriptor: int, served: str, memory: int) -> None:
        self.descriptor = descriptor
        self.served = served
        self.memory = memory
        self.is_ending = False


class Pool:
    """The supervisors. Their control sockets are registered with `poll`."""

    def __init__(
        self,
        state: str,
        claude: str,
        environment: Mapping[bytes, bytes],
        children: Children,
        poll: "select.poll",
        own_turns: int,
    ) -> None:
        self._state = state
        self._claude = claude
        self._environment = environment
        self._poll = poll
        #: The id of each supervisor's job, by the supervisor's pid; "" for none.
        self._jobs = children.jobs
        self._children = children
        self._own_turns = own_turns
        #: Each supervisor's control socket and pid, by the socket's descriptor.
        self._supervisors: dict[int, tuple[socket.socket, int]] = {}
        self._idle: list[int] = []
        #: The runs that supervisors keep, by their sessions; the one used last is the last.
        self._kept: dict[str, _Kept] = {}
        #: The supervisors that have a spare, the oldest first, and whether it can be claimed.
        self._spares: dict[int, bool] = {}
        #: What spares are started with. A supervisor that is forked has it as it was then.
        self._spare = NO_SPARES

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._supervisors

    def keep_ready(self) -> None:
        """Fork a supervisor if none is idle. Raises OSError."""
        if not self._idle:
            self._idle.append(self._fork_supervisor())

    def assign(
        self, job_id: str, continues: str | None, spare: bool, connection: socket.socket | None
    ) -> None:
        """Give a job to a supervisor, which answers on this connection whether the job starts.

        If one keeps a run for the session that the job continues, that one gets it, and one with a
        spare if a spare can serve the job. Raises OSError if no supervisor is idle and none can be
        forked.
        """
        descriptors = [] if connection is None else [connection.fileno()]
        while True:
            self.keep_ready()
            kept = self._kept.get(continues or "")
            if kept is not None:
                descriptor = kept.descriptor
            elif spare and (ready := [each for each in self._spares if self._spares[each]]):
                descriptor = ready[0]
                del self._spares[descriptor]
            else:
                descriptor = self._idle.pop()
            control, pid = self._supervisors[descriptor]
            try:
                socket.send_fds(control, [job_id.encode()], descriptors)
            except OSError:
                # It was killed while it was idle.
                self._await_kept(descriptor, pid)
                self._release(descriptor)
                continue
            self._jobs[pid] = job_id
            return

    @property
    def spare_count(self) -> int:
        """How many spares there are."""
        return len(self._spares)

    @property
    def wanted_spare(self) -> SpareStart:
        """What the spares were started with."""
        return self._spare

    def keep_spares(self, wanted: SpareStart) -> None:
        """Start a spare if too few are there, and end those that were started otherwise.

        Raises OSError.
        """
        if wanted != self._spare:
            self._spare = wanted
            for descriptor in self._spares:
                self._end_waiting(descriptor)
            # A supervisor starts a spare with what it knew when it was forked.
            while self._idle:
                self._release(self._idle[0])
        if len(self._spares) < wanted.number:
            self.keep_ready()
            descriptor = self._idle.pop()
            self._spares[descriptor] = False
            with suppress(OSError):
                # Otherwise it was killed, and its exit is noticed.
                self._supervisors[descriptor][0].send(SPARE)

    def _end_waiting(self, descriptor: int) -> None:
        with suppress(OSError):
            self._supervisors[descriptor][0].send(END_KEPT)

    def memory(self) -> int:
        """Bytes of memory of the runs without a job."""
        kept = sum(each.memory for each in self._kept.values() if not each.is_ending)
        return kept + len(self._spares) * SPARE_MEMORY

    def limit_memory(self, most: int) -> None:
        """End the kept runs that were used least recently, until the rest need at most this."""
        for kept in list(self._kept.values()):
            if self.memory() <= most:
                return
            pid = self._supervisors[kept.descriptor][1]
            if not kept.is_ending and not self._jobs.get(pid):
                kept.is_ending = True
                self._end_waiting(kept.descriptor)

    def read_messages(self) -> list[str]:
        """Read what supervisors have sent; returns the ids of jobs that have ended.

        A worker's request must not overtake the message that a run is kept for its session.
        """
        poll = select.poll()
        for descriptor in self._supervisors:
            poll.register(descriptor, select.POLLIN)
        found = [self.on_readable(descriptor) for descriptor, _ in poll.poll(0)]
        return [job_id for job_id in found if job_id]

    def on_readable(self, descriptor: int) -> str | None:
        """Read a supervisor's message; returns the id of its job if that has ended, or None."""
        control, pid = self._supervisors[descriptor]
        try:
            message = control.recv(256)
        except BlockingIOError:
            # The descriptor has been reused since the poll.
            return None
        except ConnectionResetError:
            message = b""
        if not message or pid not in self._jobs:
            # It is exiting, or has died.
            self._await_kept(descriptor, pid)
            self._release(descriptor)
            return None
        word, _, rest = message.decode(errors="replace").partition(" ")
        if word == READY:
            if descriptor in self._spares:
                self._spares[descriptor] = True
            return None
        if word == KEEPS:
            self._note_kept(descriptor, *rest.split(" "))
            return None
        if word == IDLE and self._jobs[pid] == rest:
            self._jobs[pid] = ""
            kept = self._kept_by(descriptor)
            if kept is not None and kept.served == rest:
                return rest
            self._forget_kept(descriptor)
        if not self._jobs[pid]:
            self._forget_kept(descriptor)
            self._rest(descriptor)
        return rest or None

    def _note_kept(self, descriptor: int, session: str, memory: str) -> None:
        """A supervisor keeps a run after the job that it has now."""
        self._forget_kept(descriptor)
        job_id = self._jobs[self._supervisors[descriptor][1]]
        self._kept[session] = _Kept(descriptor, job_id, int(memory))

    def _kept_by(self, descriptor: int) -> "_Kept | None":
        return next((each for each in self._kept.values() if each.descriptor == descriptor), None)

    def _forget_kept(self, descriptor: int) -> None:
        for session in [key for key, kept in self._kept.items() if kept.descriptor == descriptor]:
            del self._kept[session]

    def _await_kept(self, descriptor: int, pid: int) -> None:
        """Wait for the exit of a supervisor that kept a run, and kill what is left of that.

        Until then, no other process may have the run's session.
        """
        if self._kept_by(descriptor) is not None and pid in self._jobs:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            self._children.kill_orphans()

    def _rest(self, descriptor: int) -> None:
        """Count a supervisor as idle."""
        self._spares.pop(descriptor, None)
        if descriptor in self._idle:
            return
        self._idle.append(descriptor)
        if len(self._idle) > MOST_IDLE:
            self._release(self._idle.pop(0))

    def _release(self, descriptor: int) -> None:
        """Close a supervisor's control socket, which ends it if it lives."""
        self._poll.unregister(descriptor)
        self._supervisors.pop(descriptor)[0].close()
        self._spares.pop(descriptor, None)
        if descriptor in self._idle:
            self._idle.remove(descriptor)
        self._forget_kept(descriptor)

    def _fork_supervisor(self) -> int:
        control, remote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        work = partial(
            serve_jobs,
            remote,
            self._state,
            self._claude,
            self._environment,
            self._own_turns,
            self._spare.arguments,
        )
        pid = self._children.fork(work, remote.fileno())
        remote.close()
        control.setblocking(False)
        self._supervisors[control.fileno()] = (control, pid)
        self._poll.register(control, select.POLLIN)
        return control.fileno()
