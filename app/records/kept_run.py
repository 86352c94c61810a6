"""The record of a run that is kept after its job, `STATE_DIR/kept/<run id>`, and the list of them.

Written by the run's supervisor whenever its state changes, and removed when the run has ended.
Standard library alone, because the supervisor imports this.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from app.processes import Process
from app.records import event_journal
from app.records.job_id import is_job_id
from app.state import files, record_file

FOLDER = "kept"


class KeptRun(NamedTuple):
    """A kept run: which session it has, and for whom.

    `state` is `idle` or `busy`, or `spare` for one that has no session and no user yet. `session`
    is what the CLI named last. `user` is the id of the user whose jobs it serves. `jobs` counts
    these, `own_turns` the turns that the CLI began by itself between them, which have cost
    `own_cost` US dollars. `memory` is in bytes.
    """

    id: str
    supervisor: Process
    state: str
    session: str
    cwd: str
    model: str | None
    user: str
    jobs: int
    idle_since: str | None
    memory: int
    own_turns: int = 0
    own_cost: float = 0.0


def write(state: str, kept: KeptRun) -> None:
    """Write or replace the record. Raises OSError."""
    record_file.write_record(f"{state}/{FOLDER}/{kept.id}", kept._asdict())
    event_journal.note(state, "run", kept.id)


def remove(state: str, run_id: str) -> None:
    """Remove the record, if there is one."""
    files.discard(f"{state}/{FOLDER}/{run_id}")
    event_journal.note(state, "run", run_id)


def remove_left(state: str, run_id: str) -> None:
    """Remove the record of a run whose supervisor has died, perhaps while it was writing that."""
    for name in _names(state):
        if name.partition(".")[0] == run_id:
            remove(state, name)


def read(state: str, run_id: str) -> KeptRun | None:
    """The record of a run, or None."""
    return record_file.read_as(KeptRun, f"{state}/{FOLDER}/{run_id}") if is_job_id(run_id) else None


def kept_runs(state: str) -> Iterator[KeptRun]:
    """The records of all kept runs, in any order."""
    for name in _names(state):
        found = read(state, name)
        if found is not None and found.id == name:
            yield found


def _names(state: str) -> list[str]:
    try:
        return os.listdir(f"{state}/{FOLDER}")
    except OSError:
        return []
