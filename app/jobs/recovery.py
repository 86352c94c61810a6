"""Close the jobs whose supervisor died, and end every job when the gateway stops.

Ordinary blocking Python: the gateway's master calls it as it is, a worker under gevent.
"""

import contextlib
import fcntl
import logging
import os
import select
import signal
import time

from app.jobs import processes
from app.jobs.ending import judge
from app.jobs.processes import Process
from app.jobs.spool import JobDirectory, Spool
from app.jobs.supervisor import SWEEP_LIMIT, SWEEP_PATIENCE, sweep

log = logging.getLogger(__name__)


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
    job = directory.job()
    return job is None or processes.identify(job.starter.pid) != job.starter


def close_lost(directory: JobDirectory) -> None:
    """Write the end of a job whose supervisor died, after ending what it left.

    Several processes may call this at once: one does it, the others return at once.
    """
    with contextlib.ExitStack() as held:
        lock = os.open(directory.path, os.O_RDONLY | os.O_DIRECTORY)
        held.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if directory.ended() is not None:
            directory.seal()
            return
        killed, highest = sweep(
            lambda: processes.marked(directory.id), time.sleep, SWEEP_PATIENCE
        )
        stop_signal = highest.name if highest else None
        directory.end(judge(directory, "lost", stop_signal=stop_signal, killed=killed))
        log.warning("job %s lost its supervisor; %d processes ended", directory.id, killed)


def recover(spool: Spool) -> None:
    """Close every job that nobody is left to end."""
    for directory in spool.living():
        if directory.job() is None:
            directory.remove()
        elif is_dead(directory):
            close_lost(directory)


def end_all(spool: Spool) -> None:
    """Cancel every job and return when all have ended, or their grace is over."""
    supervisors = []
    longest = 0.0
    for directory in spool.living():
        supervisor, job = supervisor_of(directory), directory.job()
        descriptor = supervisor and processes.open_process(supervisor)
        if supervisor is not None and descriptor is not None and job is not None:
            supervisors.append(descriptor)
            longest = max(longest, job.kill_grace)
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            log.info("job %s is cancelled: the gateway stops", directory.id)
    deadline = time.monotonic() + longest + SWEEP_PATIENCE + SWEEP_LIMIT
    for descriptor in supervisors:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        os.close(descriptor)
    recover(spool)
