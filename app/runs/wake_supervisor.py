"""The wake-up of a supervisor, which then reads what clients have written for it.

Blocking Python, which gevent makes cooperative in a worker.
"""

import signal

from app import processes
from app.processes import Process
from app.records.job import Job
from app.runs.detect_dead import supervisor_of


def wake_supervisor_of(job: Job) -> bool:
    """Wake the supervisor of a job; returns False if the job has none, as before its start.

    Raises OSError if it is unknown whether the supervisor lives.
    """
    supervisor = supervisor_of(job)
    if supervisor is None:
        return False
    wake(supervisor)
    return True


def wake(supervisor: Process) -> None:
    """Wake a supervisor: a SIGTERM has it look for wishes and for new items of an inbox."""
    processes.send_signal(supervisor, signal.SIGTERM)
    # It may be stopped (SIGSTOP).
    processes.send_signal(supervisor, signal.SIGCONT)
