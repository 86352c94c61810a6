"""Kept runs whose supervisors have lost their launcher, or have died.

Such a supervisor ends its run. Until that has exited, no other process may have its session.
Standard library alone, because the launcher imports this.
"""

import os
import select
from functools import partial

from app import processes
from app.records.job import Job
from app.records.kept_run import KeptRun, kept_runs
from app.runs.close_lost import close_kept
from app.runs.launcher.children import Children
from app.runs.launcher.queue import Queue


class OrphanedRuns:
    """Holds the sessions of such runs in the queue, and ends those without a supervisor.

    A descriptor of each living supervisor is registered with `poll`.
    """

    def __init__(self, state: str, queue: Queue, children: Children, poll: "select.poll") -> None:
        self._state = state
        self._queue = queue
        self._children = children
        self._poll = poll
        #: The run of each living supervisor, by a descriptor of the supervisor.
        self._supervised: dict[int, KeptRun] = {}
        #: The run that each child ends, by the child's pid.
        self._ending: dict[int, str] = {}

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._supervised

    def recover(self) -> None:
        """Find the runs that an earlier launcher's supervisors keep."""
        for kept in kept_runs(self._state):
            self._hold(kept)

    def end_dead(self) -> None:
        """End what is left of kept runs whose supervisors have died."""
        for kept in kept_runs(self._state):
            if kept.id not in self._ending.values() and not _has_supervisor(kept):
                self._hold(kept)

    def on_exited(self, descriptor: int) -> None:
        """Handle the exit of a supervisor."""
        self._poll.unregister(descriptor)
        os.close(descriptor)
        self._hold(self._supervised.pop(descriptor))

    def on_child_exit(self, pid: int) -> None:
        """Note that a child of the launcher has exited, which may have ended a run."""
        if (run_id := self._ending.pop(pid, None)) is not None:
            self._queue.release(run_id)

    def _hold(self, kept: KeptRun) -> None:
        """Let no job continue the session of a kept run before it has ended.

        Its supervisor ends it if that lives, for it has lost its launcher; else a child does.
        """
        try:
            descriptor = processes.open_process(kept.supervisor)
        except OSError:
            # Whether the supervisor lives cannot be determined: `close_kept` ends its CLI.
            descriptor = None
        self._queue.hold(kept.id, kept.session)
        if descriptor is not None:
            self._supervised[descriptor] = kept
            self._poll.register(descriptor, select.POLLIN)
        elif Job(self._state, kept.id).links.is_live() and kept.state == "busy":
            # It is closed with its job.
            self._queue.release(kept.id)
        else:
            try:
                child = self._children.fork(partial(close_kept, self._state, kept))
            except OSError:
                self._queue.release(kept.id)
                return
            self._ending[child] = kept.id


def _has_supervisor(kept: KeptRun) -> bool:
    try:
        return processes.identify(kept.supervisor.pid) == kept.supervisor
    except OSError:
        # It may live.
        return True
