"""The list of the open questions of all jobs, by which a worker finds them at once.

    STATE_DIR/questions/<job id>.<question id>   a link, for as long as the question is open
                        changes                  a file that grows by a byte with each change

The supervisor of the job makes and removes the link; the question itself is in the job's folder
(`app.records.inbox`). A supervisor that is killed leaves its links, so a reader checks each.
Standard library alone, because the supervisor imports this.
"""

import os
from contextlib import suppress

from app.records import event_journal
from app.records.inbox import is_item_id
from app.records.job_id import is_job_id
from app.state import files

#: The folder in STATE_DIR.
FOLDER = "questions"
# A watcher that compares times in whole seconds notices growth.
_CHANGES = "changes"
#: Bytes at which the file of changes begins again.
LONGEST = 1 << 16


def add(state: str, job_id: str, question_id: str) -> None:
    """Add a question, and wake those who watch. Raises OSError."""
    with suppress(FileExistsError):
        files.make_link(_path(state, job_id, question_id), question_id)
    _note_change(state)
    event_journal.note(state, "asked", f"{job_id}.{question_id}")


def remove(state: str, job_id: str, question_id: str) -> None:
    """Remove a question, if it is there."""
    files.discard(_path(state, job_id, question_id))
    _note_change(state)
    event_journal.note(state, "closed", f"{job_id}.{question_id}")


def listed(state: str) -> list[tuple[str, str]]:
    """The ids of each question with its job's; what a job has put there is removed."""
    try:
        names = os.listdir(f"{state}/{FOLDER}")
    except OSError:
        return []
    found = []
    for name in names:
        job_id, _, question_id = name.partition(".")
        if is_job_id(job_id) and is_item_id(question_id):
            found.append((job_id, question_id))
        elif name != _CHANGES:
            files.discard(f"{state}/{FOLDER}/{name}")
    return found


def watched_file(state: str) -> str:
    """The path of a file that grows or shrinks with each change of the list. Raises OSError."""
    path = f"{state}/{FOLDER}/{_CHANGES}"
    os.close(files.open_file(path, os.O_WRONLY | os.O_CREAT))
    return path


def _note_change(state: str) -> None:
    path = f"{state}/{FOLDER}/{_CHANGES}"
    try:
        descriptor = files.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except OSError:
        # A job has removed the folder, which the next `Spool.prepare` mends.
        return
    try:
        if os.fstat(descriptor).st_size >= LONGEST:
            os.ftruncate(descriptor, 0)
        os.write(descriptor, b".")
    except OSError:
        # The disk is full.
        return
    finally:
        os.close(descriptor)


def _path(state: str, job_id: str, question_id: str) -> str:
    return f"{state}/{FOLDER}/{job_id}.{question_id}"
