"""Jobs that have ended, made without a CLI, and the index of them."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.jobs.index import JobIndex
from app.jobs.index_upkeep import IndexUpkeep
from app.jobs.store import Spool
from app.processes import this_process
from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest, Status
from app.records.run import RunStart


def end_job(
    spool: Spool,
    job_id: str | None = None,
    *,
    status: Status = "succeeded",
    started: float | None = None,
    ended_at: str = "2026-03-01T00:00:00.000Z",
    is_logged: bool = False,
    **fields: Any,
) -> Job:
    """A job that has ended; its `started` is in seconds since the epoch."""
    job = spool.job(job_id or str(uuid4()))
    assert job is not None
    request = JobRequest(
        id=job.id,
        cwd=fields.pop("cwd", "/"),
        model=fields.pop("model", None),
        session_id=None,
        started_at=fields.pop("started_at", "2026-02-28T23:59:59.500Z"),
        user=fields.pop("user", "me"),
        starter=this_process(),
        title=fields.pop("title", None),
    )
    job.create(request, RunStart("/", [], 1.0), b"", {})
    if started is not None:
        os.utime(f"{job.path}/job.json", (started, started))
    job.write_end(JobEnd(status, ended_at, **fields))
    if is_logged:
        job.links.take_unlogged()
        Path(job.links.unindexed).unlink()
    return job


def fill(spool: Spool, index: JobIndex) -> None:
    """Make the index from the folders of the jobs."""
    upkeep = IndexUpkeep(spool, index)
    while upkeep.step():
        continue
    assert index.check()
