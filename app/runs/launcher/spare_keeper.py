"""The decision when a spare is started: one is missing, and a core and memory are free.

Standard library alone, because the launcher imports this.
"""

import time
from contextlib import suppress

from app import processes
from app.runs.launcher.pool import SPARE_MEMORY, Pool
from app.runs.launcher.queue import Queue
from app.runs.launcher.spare_record import NONE as NO_SPARES
from app.runs.launcher.spare_record import SpareRecord

#: Milliseconds between two looks whether a spare is missing and a core idle.
SPARE_INTERVAL = 300


class SpareKeeper:
    """Keeps as many spares as `STATE_DIR/spare` asks for.

    Runs without a job may have `runs_memory` bytes of memory together.
    """

    def __init__(self, state: str, queue: Queue, pool: Pool, runs_memory: int) -> None:
        self._queue = queue
        self._pool = pool
        self._runs_memory = runs_memory
        self._record = SpareRecord(state)
        self._not_before = 0.0

    def keep(self) -> bool:
        """Start a spare if one is missing and a core is idle; returns whether one is missing."""
        wanted = self._record.read()
        is_missing = self._pool.spare_count < wanted.number or wanted != self._pool.wanted_spare
        moment = time.monotonic()
        if not is_missing or moment < self._not_before or not self._queue.is_empty():
            return is_missing
        if self._pool.memory() + SPARE_MEMORY > self._runs_memory:
            wanted = NO_SPARES
        if processes.has_idle_core():
            self._not_before = moment + SPARE_INTERVAL / 1000
            with suppress(OSError):
                # No process or descriptor is free.
                self._pool.keep_spares(wanted)
        return True
