"""Close a job that no process is left to end; log it."""

import logging

from app.jobs.store import Spool
from app.records.job import Job
from app.runs.close_lost import close_lost
from app.runs.liveness import is_dead

log = logging.getLogger(__name__)


def close_if_dead(spool: Spool, job: Job) -> bool:
    """Close a job as lost if its supervisor died, or remove it if its folder is gone.

    Whether it was closed here. Raises nothing: one job that cannot be closed, on a full disk say,
    must not disturb the others.
    """
    try:
        if not job.exists():
            # Removed by hand.
            spool.remove(job)
        elif is_dead(job) and close_lost(job):
            log.warning("job %s lost its supervisor", job.id, extra={"job": job.id})
            return True
    except OSError as error:
        log.error("cannot close job %s: %s", job.id, error)
    return False
