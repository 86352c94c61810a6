"""Retention: the removal of jobs that ended long ago."""

import logging
import time
from collections.abc import Iterator

from app.jobs.index import IndexUnusable, JobIndex
from app.jobs.index_entry import Entry, entry_of
from app.jobs.store import Spool
from app.records.job import Job

log = logging.getLogger(__name__)

# Jobs that are removed before the index is updated.
_PORTION = 20


def remove_old(spool: Spool, index: JobIndex, seconds: float) -> None:
    """Remove the jobs that ended more than `seconds` ago; other greenlets run in between."""
    moment = time.time() - seconds
    try:
        while due := index.ended_before(moment, _PORTION):
            _remove_some(spool, index, due, moment)
    except IndexUnusable:
        for job in spool.ended_before(moment):
            _remove(spool, job)


def _remove_some(spool: Spool, index: JobIndex, job_ids: list[str], moment: float) -> None:
    removed, others = [], []
    for job in (Job(spool.state, job_id) for job_id in job_ids):
        # Another process may have removed it, or a job has rewritten the end.
        if job.end_time() < moment or not job.exists():
            _remove(spool, job)
            removed.append(job.id)
        else:
            others.append(job)
    # Those that stay are added with their new end.
    index.remove([*removed, *(job.id for job in others)])
    if others:
        index.add(_entries(others))


def _remove(spool: Spool, job: Job) -> None:
    log.info("job %s is removed: it ended long ago", job.id, extra={"job": job.id})
    spool.remove(job)
    time.sleep(0)


def _entries(jobs: list[Job]) -> Iterator[Entry]:
    return filter(None, map(entry_of, jobs))
