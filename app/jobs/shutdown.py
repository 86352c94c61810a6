"""The shutdown: the master cancels all jobs, then ends the launcher. Ordinary blocking Python."""

import logging
import signal
import time
from collections.abc import Callable

from app import processes
from app.jobs.log_ends import log_unlogged
from app.jobs.store import Spool
from app.records.job import Job
from app.runs.cancel import ask_to_end
from app.runs.detect_dead import is_dead
from app.runs.end_processes import KILL_PATIENCE, TERM_PATIENCE
from app.runs.launcher.address import LOCK
from app.state.process_lock import holder_of

#: Seconds that the launcher and idle supervisors have to end.
LAUNCHER_GRACE = 5.0

log = logging.getLogger(__name__)


def cancel_all(spool: Spool, name_of: Callable[[str], str]) -> list[str]:
    """Cancel every job; returns their ids once all have ended or their grace period is over.

    Logs the ends that no worker has logged; `name_of` returns the name of a user's id.
    """
    cancelled = []
    longest = 0.0
    # Queued jobs first: otherwise each end would start one of them.
    for job in sorted(spool.living(), key=Job.is_claimed):
        try:
            if is_dead(job):
                continue
            ask_to_end(job)
        except OSError as error:
            log.error("cannot cancel job %s: %s", job.id, error)
        start = job.prepared.start()
        longest = max(longest, start.kill_grace if start is not None else 0.0)
        cancelled.append(job.id)
    deadline = time.monotonic() + longest + TERM_PATIENCE + KILL_PATIENCE
    while time.monotonic() < deadline and any(_is_alive(each) for each in spool.living()):
        time.sleep(0.02)
    spool.close_dead()
    log_unlogged(spool, name_of)
    return cancelled


def _is_alive(job: Job) -> bool:
    try:
        if job.end() is not None:
            # This was not done, or its job has undone it.
            job.finish()
            return False
        return job.exists() and not is_dead(job)
    except OSError:
        # It may still run.
        return True


def end_launcher(spool: Spool) -> None:
    """End the launcher and the supervisors without a job, and wait until they are gone.

    They would end by themselves after this process, but systemd would kill them and log that.
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
