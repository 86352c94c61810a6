"""The supervisor's work on one run, from the start of the CLI to the record of its end.

The launcher (`app/runs/launcher/pool.py`) forks the supervisor and gives it one job after the
other. While it has a job it depends on no other process: it outlives the launcher and the gateway.
It imports little, and of the standard library alone, because each page of memory that it touches
after its fork is copied.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from app import processes
from app.records.job import Job
from app.records.job_records import JobEnd
from app.runs.end_processes import end_processes
from app.runs.supervisor.start import CannotStart, StartedRun, start
from app.runs.supervisor.watch import CliWatch
from app.state.disk import is_out_of_room
from app.state.remove_tree import remove

#: Seconds for the removal of temporary files before the job's end is written, and after it.
_CLEANUP_BEFORE, _CLEANUP_AFTER = 0.05, 1.0


def supervise(
    job: Job,
    claude: str,
    environment: Mapping[bytes, bytes],
    wakeup: int,
    report: Callable[[str], None],
) -> bool:
    """Start and watch one run, and write the end of its job.

    `wakeup` is from `watch_signals`. The caller is a subreaper without other children. If this
    returns False, the caller must exit, because processes or temporary files are left. `report` is
    called once: with `started`, with `known` if another process has claimed the job, or with
    `failed` and the error.
    """
    try:
        started = start(job, claude, environment)
    except CannotStart as error:
        report(str(error))
        return True
    # Reported first, because a client waits for it.
    report("started")
    try:
        with suppress(OSError):
            # If this fails, `CliWatch` writes it later. The claim names the supervisor, too.
            job.run.set_running(started.running)
        run_exit, end = CliWatch(started, wakeup).until_end()
        # Limited, because clients wait for the end.
        is_clean = remove(started.temporary_folder, _CLEANUP_BEFORE)
        _write_end(started, end)
        with suppress(OSError):
            # If this fails, only the run's own record is missing.
            job.run.write_exit(run_exit)
        is_clean = is_clean or remove(started.temporary_folder, _CLEANUP_AFTER)
    except BaseException:
        # No other process would end them.
        end_processes(lambda: processes.descendants(os.getpid()), time.sleep, 0.0)
        raise
    os.close(started.stderr)
    os.close(started.output)
    # When this process exits, the launcher removes the rest.
    return is_clean and run_exit.left == 0


def _write_end(started: StartedRun, end: JobEnd) -> None:
    """Write how the job ended; waits for room on a full disk."""
    job = started.job
    while job.exists():
        try:
            job.write_end(end, started.output, started.request)
            return
        except OSError as error:
            if not is_out_of_room(error) and job.exists():
                raise
        time.sleep(0.1)
