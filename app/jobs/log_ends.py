"""The ends of jobs, each told to the log once, whoever saw to the end and whoever was there."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from app.jobs.index_entry import Entry, entry_of
from app.jobs.render import seconds_between
from app.records.job import Job

log = logging.getLogger(__name__)


class Reported(NamedTuple):
    """An end that was told: what the job came to, seconds from its request, its result.

    `entry` is for the index of jobs.
    """

    status: str
    seconds: float
    result: dict[str, Any] | None
    entry: Entry | None


def report(job: Job, name_of: Callable[[str], str]) -> Reported | None:
    """Log how a job ended; None if it has not, or if its end is logged already.

    `name_of` is the name of a user's id.
    """
    request, ended = job.request(), job.end()
    if not job.take_unlogged() or request is None or ended is None:
        return None
    # Clocks are set back now and then.
    seconds = max(0.0, seconds_between(request.started_at, ended.ended_at))
    # That it was cancelled is known from its status.
    why = "" if ended.status == "cancelled" else ended.error or ended.reason
    log.info(
        "job %s %s after %.3f s%s",
        request.id,
        ended.status,
        seconds,
        f": {why}" if why else "",
        extra={
            "request_id": request.request_id,
            "job": request.id,
            "user": name_of(request.user),
            "job_status": ended.status,
            "duration_seconds": seconds,
        },
    )
    return Reported(ended.status, seconds, ended.result, entry_of(job, request, ended))
