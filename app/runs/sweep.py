"""End processes until none is left.

Standard library alone: the supervisor imports this.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from app import processes
from app.processes import Process

#: Seconds that what outlives its CLI has between SIGTERM and SIGKILL.
SWEEP_PATIENCE = 1.0
#: Seconds after which what survives SIGKILL (a process stuck in the kernel) is given up.
SWEEP_LIMIT = 30.0


class Swept(NamedTuple):
    """What was ended, what could not be, and the highest signal used."""

    ended: set[Process]
    left: set[Process]
    highest: signal.Signals | None


def sweep(
    find: Callable[[], list[Process]], wait: Callable[[float], None], patience: float
) -> Swept:
    """End every process that `find` returns, until it returns none.

    Each gets SIGTERM when first seen; once `patience` seconds have passed since the beginning,
    it and its process group get SIGKILL. `wait` sleeps for at most the seconds it is given.
    Processes that are another user's, or stuck in the kernel, are given up.
    """
    seen: set[Process] = set()
    denied: set[Process] = set()
    highest: signal.Signals | None = None
    begun = time.monotonic()
    while left := set(find()):
        elapsed = time.monotonic() - begun
        if left <= denied or elapsed >= patience + SWEEP_LIMIT:
            return Swept(seen - left, left, highest)
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
    return Swept(seen, set(), highest)


def _kill_group(process: Process) -> None:
    """End what a process forks faster than it can be found: a group is ended at once.

    No job is in a group of ours: its CLI began a session of its own.
    """
    group = processes.group_of(process)
    if group is not None and group != os.getpgrp():
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return
