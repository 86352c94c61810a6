"""The launcher's child processes, whose exits it must learn of.

Standard library alone, because the launcher imports this.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from app import processes

# How often to look for a dead supervisor's descendants: each look finds one more generation.
_ORPHAN_ROUNDS = 200


class ChildExit(NamedTuple):
    """The exit of a child: the id of the job that it had, "" for none, and its wait status."""

    pid: int
    job_id: str
    status: int


class Children:
    """Supervisors, and processes that do one piece of work beside the launcher."""

    def __init__(self) -> None:
        #: The id of each child's job, by the child's pid; "" for none.
        self.jobs: dict[int, str] = {}

    def fork(self, work: Callable[[], object], kept: int | None = None) -> int:
        """Do some work in a child, and return the child's pid. Raises OSError.

        The child keeps the standard streams and the descriptor `kept`.
        """
        pid = os.fork()
        if pid:
            self.jobs[pid] = ""
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

    def reap(self) -> Iterator[ChildExit]:
        """Reap every child that has exited."""
        while self.jobs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield ChildExit(pid, self.jobs.pop(pid, ""), status)

    def kill_orphans(self) -> None:
        """Kill a dead supervisor's descendants: they are now children of the launcher."""
        for _ in range(_ORPHAN_ROUNDS):
            children = processes.children_of(os.getpid())
            orphans = [process for process in children if process.pid not in self.jobs]
            if not orphans:
                return
            for process in orphans:
                with suppress(PermissionError):
                    processes.send_signal(process, signal.SIGKILL)
            # Their children become the launcher's now.
            time.sleep(0.002)


def _close(descriptor: int) -> None:
    # The descriptor that listed the folder is closed already.
    with suppress(OSError):
        os.close(descriptor)
