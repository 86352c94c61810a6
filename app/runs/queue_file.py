"""The queue's file, `STATE_DIR/queue`, as the launcher publishes it.

Workers read the places of jobs from it, and a new launcher takes the queue over from it. Standard
library alone, because the launcher imports this.
"""

import errno
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from app import processes
from app.records.job import Job
from app.records.job_id import is_job_id
from app.state.files import is_there
from app.state.record_file import read_record


class Place(NamedTuple):
    """A place in the queue, from 1, and what the job waits for: a slot, or only its session."""

    number: int
    waits_for: Literal["slot", "session"]


def queue_file(state: str) -> str:
    """The path of the queue's file."""
    return f"{state}/queue"


def place_of(job: Job) -> Place | None:
    """The place of a job, as published last, or None if the job does not wait."""
    if job.is_claimed():
        return None
    number = 0
    for job_id, waits_for in _rows(read_record(queue_file(job.state)) or {}):
        if waits_for != "start":
            number += 1
            if job_id == job.id:
                return Place(number, "session" if waits_for == "session" else "slot")
    return None


def queued(state: str) -> list[str]:
    """The jobs that wait and those that the launcher is starting.

    Raises OSError if the file cannot be read; the launcher will write it again.
    """
    path = queue_file(state)
    record = read_record(path)
    if record is None and is_there(path):
        raise OSError(errno.EINVAL, "The queue cannot be read", path)
    return [job_id for job_id, _ in _rows(record or {})]


def read_queue(state: str) -> list[list[str]]:
    """The rows that an earlier launcher published: the ids of jobs, and what each waits for."""
    rows = _rows(read_record(queue_file(state)) or {})
    return [[job_id, waits_for] for job_id, waits_for in rows if is_job_id(job_id)]


def _rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = record.get("rows")
    # A file from before the machine's last start may be damaged, and so may its jobs.
    if record.get("boot_id") != processes.boot_id() or not isinstance(rows, list):
        return []
    return [
        (row[0], str(row[1]))
        for row in rows
        if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str)
    ]
