"""The process beside each run: it starts the CLI, waits for it, and leaves nothing behind.

The launcher (`app/runs/launcher/pool.py`) forks it and gives it a job, and another one when that
has ended. While it has one it depends on no other process: it outlives the launcher and the
gateway. Standard library alone, and little of it: each page that it touches after its fork is
copied.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from app import processes
from app.records.job import Job, JobEnd
from app.runs.supervisor.start import CannotStart, StartedRun, start
from app.runs.supervisor.watch import Watch
from app.runs.sweep import sweep
from app.state.disk import is_out_of_room
from app.state.remove_tree import remove

#: Seconds that are spent on a run's temporary files before its end is written, and after it.
_TIDY_BEFORE, _TIDY_AFTER = 0.05, 1.0


def supervise(
    job: Job,
    claude: str,
    environment: Mapping[bytes, bytes],
    wakeup: int,
    report: Callable[[str], None],
) -> bool:
    """Have one run from its start to its end; then the end of its job is written.

    `wakeup` is from `watch_signals`; the caller is a subreaper and has no other children, and
    if this returns False it must end, because processes or temporary files are left. `report` is
    called once: with `started`, `known` if another process has claimed the job, or `failed` and
    why.
    """
    try:
        started = start(job, claude, environment)
    except CannotStart as error:
        report(str(error))
        return True
    # First of all, because a client waits for it.
    report("started")
    try:
        with suppress(OSError):
            # Its claim names us, too; what could not be written is written later.
            job.run.set_running(started.running)
        run_exit, end = Watch(started, wakeup).until_end()
        # Little is left as a rule. Whatever it is, no client waits for it.
        is_tidy = remove(started.temporary, _TIDY_BEFORE)
        _write_end(started, end)
        with suppress(OSError):
            # Of a run that has no job any more.
            job.run.write_exit(run_exit)
        is_tidy = is_tidy or remove(started.temporary, _TIDY_AFTER)
    except BaseException:
        # No process is left that would end them.
        sweep(lambda: processes.descendants(os.getpid()), time.sleep, 0.0)
        raise
    os.close(started.stderr)
    os.close(started.output)
    # Once this process has ended, the launcher has the rest removed.
    return is_tidy and run_exit.left == 0


def _write_end(started: StartedRun, end: JobEnd) -> None:
    """Write how the job ended; on a full disk, as soon as there is room."""
    job = started.job
    while job.exists():
        try:
            job.write_end(end, started.output, started.request)
            return
        except OSError as error:
            if not is_out_of_room(error) and job.exists():
                raise
        # The CLI has read its message: the room that this frees is enough for a record.
        job.discard_message()
        time.sleep(0.1)
