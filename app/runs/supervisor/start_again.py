"""Another start of a CLI that has ended without a line.

The CLI prints its first line before it asks the model (2.1.197, 2.1.330), so one without a line has
done nothing for its job. Standard library alone, because the supervisor imports this.
"""

import os

from app.records.job import Job
from app.runs import temporary_folder
from app.runs.supervisor.run_watch import RunWatch
from app.state import files

# How many bytes at the end of standard error are searched for a message.
_STDERR_READ = 4096
# Seconds for the removal of the temporary files of the start before.
_CLEANUP_PATIENCE = 1.0


class NoLine(Exception):
    """The CLI has ended without a line, for no reason that it knows: another may do better."""


def check_lines(run: RunWatch, job: Job) -> None:
    """Check what a CLI has done that has exited by itself. Raises NoLine.

    One that was not killed, and that says on standard error why it ends, would say so again.
    """
    if run.signals.is_started or os.fstat(run.started.output).st_size:
        return
    if job.wish() is not None or not job.exists():
        return
    if run.was_killed() or not job.read_stderr(_STDERR_READ).strip():
        raise NoLine


def clear(run: RunWatch) -> bool:
    """End what such a CLI has left, and remove it; returns whether nothing is left."""
    run_exit, started = run.end(), run.started
    run.close()
    files.discard(started.run.stderr)
    is_gone = temporary_folder.remove_for_run(started.run.path, _CLEANUP_PATIENCE)
    return is_gone and run_exit.left == 0
