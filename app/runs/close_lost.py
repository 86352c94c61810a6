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

from app import processes
from app.processes import Process
from app.records.job import Job
from app.runs import temporary
from app.runs.launcher.queue import queued
from app.runs.sweep import SWEEP_PATIENCE, sweep
from app.runs.verdict import judge

#: Seconds that are spent on the temporary files of a job whose supervisor died.
_TIDY_PATIENCE = 5.0


def supervisor_of(job: Job) -> Process | None:
    """The living supervisor of a job, or None.

    Raises OSError if it cannot be found out whether it lives.
    """
    running = job.running()
    if running is not None and running.boot_id == processes.boot_id():
        found = running.supervisor
    else:
        # It has claimed the job and not written yet who it is, or that record is damaged.
        claim = job.claimed_by()
        if running is not None or claim is None or claim.role != "supervisor":
            return None
        found = claim.process
    return found if processes.identify(found.pid) == found else None


def is_dead(job: Job) -> bool:
    """Whether no process is left that would end this job.

    Raises OSError if that cannot be found out: then it may well be there.
    """
    if job.has_ended() and job.end() is None:
        # The record is damaged; without another one the job would run for ever.
        return True
    if job.running() is not None:
        return supervisor_of(job) is None
    if job.is_claimed():
        claim = job.claimed_by()
        return claim is None or processes.identify(claim.process.pid) != claim.process
    asked = job.request()
    if asked is not None and processes.identify(asked.starter.pid) == asked.starter:
        return False
    return job.id not in queued(job.state)


def ask_to_end(job: Job, gently: bool = False) -> None:
    """Have the job's supervisor end it, now or as soon as it has started; does not wait.

    `gently` is one SIGINT to the CLI; otherwise what must follow follows. A job that was not
    started yet never will be, and has ended when this returns.
    """
    # The mark comes first: a supervisor looks for it once it can be found here.
    job.ask_to_cancel(gently)
    if claim(job):
        _end_unstarted(job)
        return
    supervisor = supervisor_of(job)
    if supervisor is not None:
        processes.send_signal(supervisor, signal.SIGTERM)
        # It may have been stopped.
        processes.send_signal(supervisor, signal.SIGCONT)


def _end_unstarted(job: Job) -> None:
    request = job.request()
    ended = judge(job, "cancelled", request and request.session_id)
    try:
        job.write_end(ended)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        job.forget_input()
        job.write_end(ended)


def close_lost(job: Job) -> bool:
    """Write the end of a job whose supervisor died, after ending what it left.

    Several processes may call this at once: one does it and returns True, the others return
    at once.
    """
    with contextlib.ExitStack() as held:
        try:
            lock = os.open(job.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            # Removed by hand.
            return False
        held.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _is_held_by_a_job(lock):
                sweep(lambda: _leftovers(job.id), time.sleep, SWEEP_PATIENCE)
            return False
        if job.end() is not None:
            job.seal()
            return False
        if not job.is_claimed() and not claim(job):
            # A supervisor was faster.
            return False
        swept = sweep(lambda: _leftovers(job.id), time.sleep, SWEEP_PATIENCE)
        request = job.request()
        never_ran = job.running() is None
        job.cut_holes()
        job.write_end(
            judge(
                job,
                "cancelled" if never_ran and job.is_to_be_cancelled() else "lost",
                request and request.session_id,
                stop_signal=swept.highest.name if swept.highest else None,
                killed=len(swept.ended),
                left=len(swept.left),
            )
        )
        temporary.remove_of(job.path, _TIDY_PATIENCE, lambda: time.sleep(0))
        return True


def claim(job: Job) -> bool:
    """Keep everybody else from starting the job, or return False: somebody has."""
    try:
        os.close(job.claim("closer"))
    except (FileExistsError, FileNotFoundError):
        return False
    return True


def _is_held_by_a_job(lock: int) -> bool:
    """Whether this lock is a job's, which can hold it too, and not another closer's."""
    wanted = f":{os.fstat(lock).st_ino}"
    with open("/proc/locks", encoding="ascii") as locks:
        rows = [line.split() for line in locks]
    # 1: FLOCK ADVISORY WRITE 708 00:13:4711 0 EOF (proc(5))
    pids = [int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].endswith(wanted)]
    return any(processes.is_marked(pid) or processes.identify(pid) is None for pid in pids)


def _leftovers(job_id: str) -> list[Process]:
    """What carries the job's mark, and what descends from that and has lost it."""
    marked = processes.marked(job_id)
    return list({*marked, *processes.descendants(*(process.pid for process in marked))})
