"""The cancellation of a job: by its supervisor, or here if it has not been started.

Blocking Python, which gevent makes cooperative in a worker.
"""

from app.records.job import Job
from app.records.run import RunExit
from app.records.wish import Wish
from app.runs.close_lost import claim_to_close
from app.runs.verdict import judge
from app.runs.wake_supervisor import wake_supervisor_of


def ask_to_end(job: Job, wish: Wish = "cancel", reason: str = "") -> None:
    """Have the job's supervisor end it, now or as soon as it has started; does not wait.

    A job without the CLI is ended by its worker. An `interrupt` sends the CLI one SIGINT. A job
    that has not been started never runs, and has ended when this returns. `reason` is why it is
    `complete`. Raises OSError.
    """
    # The wish is written first: a supervisor that cannot be found here yet reads it later.
    job.ask(wish, reason)
    if claim_to_close(job):
        job.write_end(judge(job, RunExit(), "cancelled"))
        return
    claim = job.claimed_by()
    if claim is not None and claim.role == "worker":
        job.wake_readers()
    else:
        wake_supervisor_of(job)
