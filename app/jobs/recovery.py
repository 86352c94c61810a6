"""Close the jobs whose supervisor died, and end every job when the gateway stops.

Ordinary blocking Python: the gateway's master calls it as it is, a worker under gevent.
"""

import contextlib
import fcntl
import os
import select
import signal
import time

from app.jobs import processes
from app.jobs.ending import judge
from app.jobs.processes import Process
from app.jobs.spool import JobDirectory, Spool
from app.jobs.supervisor import SWEEP_LIMIT, SWEEP_PATIENCE, sweep

#: Seconds that a supervisor has from claiming its job until it has written who it is.
CLAIM_PATIENCE = 30.0


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
    return job is None or processes.identify(job.starter.pid) != job.starter


def close_lost(directory: JobDirectory) -> bool:
    """Write the end of a job whose supervisor died, after ending what it left.

    Several processes may call this at once: one does it and returns True, the others return
    at once.
    """
    with contextlib.ExitStack() as held:
        lock = os.open(directory.path, os.O_RDONLY | os.O_DIRECTORY)
        held.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if directory.ended() is not None:
            directory.seal()
            return False
        killed, highest = sweep(
            lambda: processes.marked(directory.id), time.sleep, SWEEP_PATIENCE
        )
        job = directory.job()
        directory.end(
            judge(
                directory,
                "lost",
                job and job.session_id,
                stop_signal=highest.name if highest else None,
                killed=killed,
            )
        )
        return True


def recover(spool: Spool) -> list[str]:
    """Close every job that nobody is left to end; returns their ids."""
    lost = []
    for directory in spool.living():
        if directory.job() is None:
            directory.remove()
        elif is_dead(directory) and close_lost(directory):
            lost.append(directory.id)
    return lost


def end_all(spool: Spool) -> list[str]:
    """Cancel every job; returns their ids when all have ended, or their grace is over."""
    supervisors = []
    cancelled = []
    longest = 0.0
    for directory in spool.living():
        supervisor, job = supervisor_of(directory), directory.job()
        descriptor = supervisor and processes.open_process(supervisor)
        if supervisor is not None and descriptor is not None and job is not None:
            supervisors.append(descriptor)
            longest = max(longest, job.kill_grace)
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            cancelled.append(directory.id)
    deadline = time.monotonic() + longest + SWEEP_PATIENCE + SWEEP_LIMIT
    for descriptor in supervisors:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        os.close(descriptor)
    recover(spool)
    return cancelled
