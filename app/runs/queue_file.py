"""The queue as the launcher publishes it, in `STATE_DIR/queue`.

Workers read a job's place in it, and the next launcher goes on with it. Standard library alone,
because the launcher imports this.
"""

import errno
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from app import processes
from app.records.job import Job, is_job_id
from app.state.files import is_there
from app.state.record_file import read_record


class Place(NamedTuple):
    """A place in the queue: 1 is the next; and whether only the job's session keeps it back."""

    number: int
    waits_for: Literal["slot", "session"]


def queue_file(state: str) -> str:
    """Where those that wait are published."""
    return f"{state}/queue"


def place_of(job: Job) -> Place | None:
    """The place in which a job waits, as published last, or None if it does not."""
    if job.is_claimed():
        return None
    number = 0
    for job_id, what in _rows(read_record(queue_file(job.state)) or {}):
        if what != "start":
            number += 1
            if job_id == job.id:
                return Place(number, "session" if what == "session" else "slot")
    return None


def queued(state: str) -> list[str]:
    """The jobs that the launcher answers for: those that wait, and those that it starts now.

    Raises OSError if that is written down and cannot be read; the launcher will write it anew.
    """
    path = queue_file(state)
    record = read_record(path)
    if record is None and is_there(path):
        raise OSError(errno.EINVAL, "The queue cannot be read", path)
    return [job_id for job_id, _ in _rows(record or {})]


def read_queue(state: str) -> list[list[str]]:
    """The rows that an earlier launcher published: a job's id, and what it waits for."""
    rows = _rows(read_record(queue_file(state)) or {})
    return [[job_id, what] for job_id, what in rows if is_job_id(job_id)]


def _rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = record.get("rows")
    # What was written before the machine's last start may be damaged, and so may those jobs.
    if record.get("boot_id") != processes.boot_id() or not isinstance(rows, list):
        return []
    return [
        (row[0], str(row[1]))
        for row in rows
        if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str)
    ]
