"""What the gateway's master does with all jobs: recover them at the start, end them at the stop.

Ordinary blocking Python.
"""

import logging
import signal
import time
from collections.abc import Callable

from app import processes
from app.jobs.log_ends import report
from app.jobs.store import Spool
from app.records.directory import JobDirectory
from app.runs.close_lost import ask_to_end, close_lost, is_dead
from app.runs.launcher.server import LOCK
from app.runs.sweep import SWEEP_LIMIT, SWEEP_PATIENCE
from app.state.process_lock import holder_of

#: Seconds that the launcher and idle supervisors have to end.
LAUNCHER_GRACE = 3.0

log = logging.getLogger(__name__)


def recover(spool: Spool) -> list[str]:
    """Close every job that nobody is left to end; returns their ids."""
    lost = []
    for directory in spool.living():
        try:
            if not directory.exists():
                spool.remove(directory)
            elif is_dead(directory) and close_lost(directory):
                lost.append(directory.id)
        except OSError as error:
            log.error("cannot close job %s: %s", directory.id, error)
    return lost


def end_all(spool: Spool, name_of: Callable[[str], str]) -> list[str]:
    """Cancel every job; returns their ids when all have ended, or their grace is over.

    Logs the ends that no worker was left to log; `name_of` is the name of a user's id.
    """
    cancelled = []
    longest = 0.0
    # Those that wait come first, or each end would have one of them started.
    for directory in sorted(spool.living(), key=JobDirectory.is_claimed):
        try:
            if is_dead(directory):
                continue
            ask_to_end(directory)
        except OSError as error:
            log.error("cannot cancel job %s: %s", directory.id, error)
        job = directory.job()
        longest = max(longest, job.kill_grace if job is not None else 0.0)
        cancelled.append(directory.id)
    deadline = time.monotonic() + longest + SWEEP_PATIENCE + SWEEP_LIMIT
    while time.monotonic() < deadline and any(_is_alive(each) for each in spool.living()):
        time.sleep(0.02)
    recover(spool)
    for directory in spool.untold():
        report(directory, name_of)
    return cancelled


def _is_alive(directory: JobDirectory) -> bool:
    try:
        if directory.ended() is not None:
            # What follows that was not done, or undone by its job.
            directory.seal()
            return False
        return directory.exists() and not is_dead(directory)
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
