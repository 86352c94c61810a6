"""Find a job's supervisor and have it end the job; close a job whose supervisor died.

Ordinary blocking Python: launcher and master call it as it is, a worker under gevent.
Standard library alone, because the launcher imports this.
"""

import contextlib
import errno
import fcntl
import os
import signal
import time

from app.jobs import processes, temporary
from app.jobs.directory import JobDirectory
from app.jobs.ending import judge
from app.jobs.processes import Process
from app.jobs.queue import queued
from app.jobs.sweep import SWEEP_PATIENCE, sweep

#: Seconds that a supervisor has from claiming its job until it has written who it is.
CLAIM_PATIENCE = 30.0
#: Seconds that are spent on the temporary files of a job whose supervisor died.
_TIDY_PATIENCE = 5.0


def supervisor_of(directory: JobDirectory) -> Process | None:
    """The living supervisor of a job, or None."""
    running = directory.running()
    if running is None or running.boot_id != processes.boot_id():
        return None
    alive = processes.identify(running.supervisor.pid) == running.supervisor
    return running.supervisor if alive else None


def is_dead(directory: JobDirectory) -> bool:
    """Whether nobody is left who would end this job."""
    if directory.running() is not None:
        return supervisor_of(directory) is None
    claimed_for = directory.claimed_for()
    if claimed_for is not None:
        return claimed_for > CLAIM_PATIENCE
    job = directory.job()
    if job is not None and processes.identify(job.starter.pid) == job.starter:
        return False
    return directory.id not in queued(directory.state)


def ask_to_end(directory: JobDirectory, gently: bool = False) -> None:
    """Have the job's supervisor end it, now or as soon as it has started; does not wait.

    `gently` is one SIGINT to the CLI; otherwise what must follow follows. A job that was not
    started yet never will be, and has ended when this returns.
    """
    # The mark comes first: a supervisor looks for it once it can be found here.
    directory.ask_to_cancel(gently)
    if claim(directory):
        _end_unstarted(directory)
        return
    supervisor = supervisor_of(directory)
    if supervisor is not None:
        processes.send_signal(supervisor, signal.SIGTERM)
        # It may have been stopped.
        processes.send_signal(supervisor, signal.SIGCONT)


def _end_unstarted(directory: JobDirectory) -> None:
    job = directory.job()
    ended = judge(directory, "cancelled", job and job.session_id)
    try:
        directory.end(ended)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # What was to be said to the CLI is not needed any more.
        os.truncate(directory.input, 0)
        directory.end(ended)


def close_lost(directory: JobDirectory) -> bool:
    """Write the end of a job whose supervisor died, after ending what it left.

    Several processes may call this at once: one does it and returns True, the others return
    at once.
    """
    with contextlib.ExitStack() as held:
        try:
            lock = os.open(directory.path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            # Removed by hand.
            return False
        held.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if directory.ended() is not None:
            directory.seal()
            return False
        if not directory.is_claimed() and not claim(directory):
            # A supervisor was faster.
            return False
        swept = sweep(lambda: _leftovers(directory.id), time.sleep, SWEEP_PATIENCE)
        job = directory.job()
        never_ran = directory.running() is None
        directory.end(
            judge(
                directory,
                "cancelled" if never_ran and directory.is_to_be_cancelled() else "lost",
                job and job.session_id,
                stop_signal=swept.highest.name if swept.highest else None,
                killed=len(swept.ended),
                left=len(swept.left),
            )
        )
        temporary.remove_of(directory.path, _TIDY_PATIENCE, lambda: time.sleep(0))
        return True


def claim(directory: JobDirectory) -> bool:
    """Keep everybody else from starting the job, or return False: somebody has."""
    try:
        os.close(directory.claim())
    except (FileExistsError, FileNotFoundError):
        return False
    return True


def _leftovers(job_id: str) -> list[Process]:
    """What carries the job's mark, and what descends from that and has lost it."""
    marked = processes.marked(job_id)
    return list({*marked, *processes.descendants(*(process.pid for process in marked))})
