"""The end of a run whose processes have ended: its records, and what of its files goes with it.

Standard library alone, because the supervisor imports this.
"""

import time
from contextlib import suppress

from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest
from app.records.run import RunExit
from app.runs.supervisor.job_watch import JobWatch
from app.runs.supervisor.kept_session import KeptSession
from app.runs.supervisor.run_watch import RunWatch
from app.runs.supervisor.start import StartedRun
from app.runs.verdict import as_complete
from app.state.disk import is_out_of_room
from app.state.remove_tree import remove

#: Seconds for the removal of temporary files before the job's end is written, and after it.
_CLEANUP_BEFORE, _CLEANUP_AFTER = 0.05, 1.0


def end_with_job(run: RunWatch, run_exit: RunExit, job: JobWatch, end: JobEnd) -> bool:
    """Write the end of a run and of the job that it served last; returns whether nothing is left.

    What is left are processes, or temporary files.
    """
    started = run.started
    if started.run.id != job.job.id:
        discard_prepared(job.job)
    started.run.discard_contents(started.start)
    # Limited, because clients wait for the end.
    is_gone = remove(started.temporary_folder, _CLEANUP_BEFORE)
    write_end(job.job, end, started, job.request)
    with suppress(OSError):
        # If this fails, only the run's own record is missing.
        started.run.write_exit(run_exit)
    is_gone = is_gone or remove(started.temporary_folder, _CLEANUP_AFTER)
    run.close()
    return is_gone and run_exit.left == 0


def end_kept(kept: KeptSession) -> bool:
    """End a run that is kept, and write its end; returns whether nothing is left, as above."""
    watch = kept.run.watch
    started = watch.started
    kept.run.end()
    started.run.discard_contents(started.start)
    run_exit = watch.end()
    is_gone = remove(started.temporary_folder, _CLEANUP_AFTER)
    with suppress(OSError):
        started.run.write_exit(run_exit)
    kept.close()
    watch.close()
    return is_gone and run_exit.left == 0


def write_end(job: Job, end: JobEnd, started: StartedRun, request: JobRequest) -> None:
    """Write how the job ended; waits for room on a full disk."""
    end = as_complete(job, end)
    if started.retried and started.run.id == job.id:
        end = end._replace(start_retried=True)
    while job.exists():
        try:
            job.write_end(end, started.output, request)
            return
        except OSError as error:
            if not is_out_of_room(error) and job.exists():
                raise
        time.sleep(0.1)


def discard_prepared(job: Job) -> None:
    """Remove the files of the run that was prepared for a job: it is not started any more."""
    if (run_start := job.prepared.start()) is not None:
        job.prepared.discard_contents(run_start)
