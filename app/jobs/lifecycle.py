"""What the gateway's master does with all jobs: recover them at the start, end them at the stop.

Ordinary blocking Python.
"""

import logging
import signal
import time
from collections.abc import Callable

from app import processes
from app.jobs.log_ends import log_unlogged
from app.jobs.store import Spool
from app.jobs.upgrade import upgrade
from app.records.job import Job
from app.runs.cancel import ask_to_end
from app.runs.launcher.address import LOCK
from app.runs.liveness import is_dead
from app.runs.sweep import SWEEP_LIMIT, SWEEP_PATIENCE
from app.state.process_lock import holder_of

#: Seconds that the launcher and idle supervisors have to end.
LAUNCHER_GRACE = 3.0

log = logging.getLogger(__name__)


def take_over(spool: Spool) -> list[str]:
    """Make the state folder the gateway's that starts; returns the ids of jobs that are lost.

    Raises OSError.
    """
    return upgrade(spool) + recover(spool)


def recover(spool: Spool) -> list[str]:
    """Close every job that no process is left to end; returns their ids."""
    return [job.id for job in spool.living() if spool.close_if_dead(job)]


def end_all(spool: Spool, name_of: Callable[[str], str]) -> list[str]:
    """Cancel every job; returns their ids when all have ended, or their grace is over.

    Logs the ends that no worker was left to log; `name_of` is the name of a user's id.
    """
    cancelled = []
    longest = 0.0
    # Those that wait come first, or each end would have one of them started.
    for job in sorted(spool.living(), key=Job.is_claimed):
        try:
            if is_dead(job):
                continue
            ask_to_end(job)
        except OSError as error:
            log.error("cannot cancel job %s: %s", job.id, error)
        start = job.run.start()
        longest = max(longest, start.kill_grace if start is not None else 0.0)
        cancelled.append(job.id)
    deadline = time.monotonic() + longest + SWEEP_PATIENCE + SWEEP_LIMIT
    while time.monotonic() < deadline and any(_is_alive(each) for each in spool.living()):
        time.sleep(0.02)
    recover(spool)
    log_unlogged(spool, name_of)
    return cancelled


def _is_alive(job: Job) -> bool:
    try:
        if job.end() is not None:
            # What follows that was not done, or undone by its job.
            job.finish()
            return False
        return job.exists() and not is_dead(job)
    except OSError:
        # It may well be.
        return True


def end_launcher(spool: Spool) -> None:
    """End the launcher and the supervisors without a job, and wait until they are gone.

    They would end by themselves when this process has, but systemd kills what is left by then
    and says so.
    """
    pid = holder_of(f"{spool.state}/{LOCK}")
    # A job could hold the lock, too.
    launcher = None if pid is None or processes.is_marked(pid) else processes.identify(pid)
    if launcher is None:
        return
    ending = [launcher, *processes.descendants(launcher.pid)]
    processes.send_signal(launcher, signal.SIGTERM)
    deadline = time.monotonic() + LAUNCHER_GRACE
    while time.monotonic() < deadline and any(
        processes.identify(each.pid) == each for each in ending
    ):
        time.sleep(0.01)
