"""Ask for a job's end: its supervisor ends it, or it is ended here if it has none yet.

Ordinary blocking Python: the master calls it as it is, a worker under gevent.
"""

import signal

from app import processes
from app.records.job import Job, Wish
from app.records.run import RunExit
from app.runs.close_lost import claim_to_close
from app.runs.liveness import supervisor_of
from app.runs.verdict import judge
from app.state.disk import is_out_of_room


def ask_to_end(job: Job, wish: Wish = "cancel") -> None:
    """Have the job's supervisor end it, now or as soon as it has started; does not wait.

    An `interrupt` is one SIGINT to the CLI. A job that was not started yet never will be, and has
    ended when this returns. Raises OSError.
    """
    # The wish comes first: a supervisor looks for it once it can be found here.
    job.ask(wish)
    if claim_to_close(job):
        _end_unstarted(job)
        return
    supervisor = supervisor_of(job)
    if supervisor is not None:
        processes.send_signal(supervisor, signal.SIGTERM)
        # It may have been stopped.
        processes.send_signal(supervisor, signal.SIGCONT)


def _end_unstarted(job: Job) -> None:
    end = judge(job, RunExit(), "cancelled")
    try:
        job.write_end(end)
    except OSError as error:
        if not is_out_of_room(error):
            raise
        job.discard_message()
        job.write_end(end)
