"""The end of the processes that a CLI left: SIGTERM, then SIGKILL.

Standard library alone, because the supervisor imports this.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from app import processes
from app.processes import Process

#: Seconds between SIGTERM and SIGKILL for processes that outlive their CLI.
TERM_PATIENCE = 1.0
#: Seconds after which a process that survives SIGKILL (stuck in the kernel) is given up.
KILL_PATIENCE = 30.0


class EndedProcesses(NamedTuple):
    """The processes that were ended, those that are left, and the highest signal that was sent."""

    ended: set[Process]
    left: set[Process]
    highest: signal.Signals | None


def end_processes(
    find: Callable[[], list[Process]], wait: Callable[[float], None], patience: float
) -> EndedProcesses:
    """End every process that `find` returns, until it returns none.

    Each gets SIGTERM when first seen. After `patience` seconds, each and its process group get
    SIGKILL. `wait` sleeps for at most the given seconds. Processes of another user, and those
    stuck in the kernel, are given up.
    """
    seen: set[Process] = set()
    denied: set[Process] = set()
    highest: signal.Signals | None = None
    started_at = time.monotonic()
    while left := set(find()):
        elapsed = time.monotonic() - started_at
        if left <= denied or elapsed >= patience + KILL_PATIENCE:
            return EndedProcesses(seen - left, left, highest)
        number = signal.SIGKILL if elapsed >= patience else signal.SIGTERM
        for process in left if number == signal.SIGKILL else left - seen:
            highest = number
            try:
                processes.send_signal(process, number)
                if number == signal.SIGKILL:
                    _kill_group(process)
            except PermissionError:
                denied.add(process)
        seen |= left
        wait(0.01 if elapsed >= patience else min(0.05, patience - elapsed))
    return EndedProcesses(seen, set(), highest)


def _kill_group(process: Process) -> None:
    """Kill a process group at once: its members may fork faster than they can be found.

    No job is in the gateway's own group, because each CLI starts a new session (setsid(2)).
    """
    group = processes.group_of(process)
    if group is not None and group != os.getpgrp():
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return
