"""The runs that wait for the results of a client's tools: `STATE_DIR/held/<digest>`.

The digest is that of the conversation up to the calls, so only the user who got the calls finds the
run, and only with exactly this conversation. A request removes the file when it takes the run, so
of two with the same results one gets it; the other has its conversation served by another run.
"""

import time
from pathlib import Path
from typing import NamedTuple

from app.records import kept_run
from app.state.files import make_folder
from app.state.old_files import remove_old_files
from app.state.record_file import take_as, write_record

#: Seconds that a file is kept; no run is held for so long.
KEPT = 3600.0


class _Record(NamedTuple):
    """The content of a file."""

    run: str


class HeldRuns:
    """The held runs of one state folder, for all workers."""

    def __init__(self, state: Path, most: int) -> None:
        self._state = str(state)
        self._folder = state / "held"
        self._most = most
        self._cleaned = 0.0

    def has_room(self) -> bool:
        """Whether one more run may be held."""
        held = sum(run.state == "held" for run in kept_run.kept_runs(self._state))
        return held < self._most

    def record(self, digest: str, run_id: str) -> None:
        """Record that a run waits at the end of this conversation, if it does. Raises OSError."""
        if not self._is_held(run_id):
            return
        # A job may have removed the folder.
        make_folder(str(self._folder))
        write_record(str(self._folder / digest), _Record(run_id)._asdict())
        if time.time() - self._cleaned >= KEPT:
            self._cleaned = time.time()
            remove_old_files(str(self._folder), KEPT)

    def take(self, digest: str) -> str | None:
        """The id of the run that waits at the end of this conversation, for this caller alone."""
        record = take_as(_Record, str(self._folder / digest))
        return record.run if record is not None and self._is_held(record.run) else None

    def _is_held(self, run_id: str) -> bool:
        run = kept_run.read(self._state, run_id)
        return run is not None and run.state == "held"
