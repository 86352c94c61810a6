"""The lines of the ledger of usage: one for each job that has ended.

    STATE_DIR/usage/2026-11.jsonl   the jobs that ended in November 2026, in UTC

A line is a JSON object that is appended in one write(2). A job that ends while another one does may
be written twice, by two processes: a reader recognizes it by its id. What a kept run does by itself
between two jobs has lines, too (`OWN`). Standard library alone, because the supervisor imports
this.
"""

import errno
import json
import os
import re
from typing import NamedTuple

from app.state import files
from app.timestamps import now

#: The folder in STATE_DIR.
FOLDER = "usage"
#: Bytes of a month's file, to which nothing is added then. That is 500,000 jobs.
LARGEST_MONTH = 128 << 20
#: The status of a turn that a kept run has begun by itself: it is no job.
OWN = "own"

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
# Characters of a model's or a user's name that are kept.
_LONGEST_NAME = 200


class UsageLine(NamedTuple):
    """What a job used.

    `ended_at` is a timestamp, `cost` is in billionths of a US dollar. `milliseconds` is the time
    from the request to the end, `first_line` that to the CLI's first line, if a client waited for
    it. `start` is how the job got its process (`app.jobs.start_kind`).
    """

    id: str
    ended_at: str
    user: str
    model: str
    status: str
    cost: int
    input: int
    output: int
    cache_read: int
    cache_creation: int
    milliseconds: int = 0
    start: str | None = None
    first_line: int | None = None


def append(state: str, line: UsageLine) -> None:
    """Add a line to the file of the month in which its job ended.

    Raises OSError: EFBIG if the month's file is full.
    """
    if not _MOMENT.fullmatch(line.ended_at) or line.ended_at > now():
        # A job has damaged its records, or the clock was set back.
        line = line._replace(ended_at=now())
    line = line._replace(user=line.user[:_LONGEST_NAME], model=line.model[:_LONGEST_NAME])
    fields = {name: value for name, value in line._asdict().items() if value is not None}
    content = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
    path = f"{state}/{FOLDER}/{line.ended_at[:7]}.jsonl"
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
    try:
        descriptor = files.open_file(path, flags)
    except FileNotFoundError:
        # A job has removed the folder.
        files.make_folder(f"{state}/{FOLDER}")
        descriptor = files.open_file(path, flags)
    try:
        size = os.fstat(descriptor).st_size
        if size > LARGEST_MONTH:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # A power cut or a full disk has torn the last line.
            content = b"\n" + content
        if os.write(descriptor, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(descriptor)
