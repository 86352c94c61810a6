"""The record of what a job used, in the ledger of usage."""

import logging

from app.jobs.index_entry import Entry
from app.jobs.start_kind import first_line_of, start_kind
from app.records.job import Job
from app.records.job_records import JobEnd
from app.records.usage_line import UsageLine, append

log = logging.getLogger(__name__)


class UsageRecorder:
    """Adds jobs to the ledger, one such object in each process. It raises nothing."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._is_failing = False

    def add(self, job: Job, entry: Entry, end: JobEnd) -> None:
        """Add a job that has ended. That it cannot be added is logged once."""
        amounts = entry.amounts
        line = UsageLine(
            id=job.id,
            ended_at=end.ended_at,
            user=entry.group.user,
            model=entry.group.model,
            status=entry.group.status,
            cost=amounts.cost,
            input=amounts.input,
            output=amounts.output,
            cache_read=amounts.cache_read,
            cache_creation=amounts.cache_creation,
            milliseconds=amounts.milliseconds,
            start=None if end.never_started else start_kind(job),
            first_line=first_line_of(job),
        )
        try:
            append(self._state, line)
        except OSError as error:
            if not self._is_failing:
                log.error(
                    "usage is not recorded, from job %s on: %s",
                    job.id,
                    error.strerror,
                    extra={"job": job.id},
                )
            self._is_failing = True
        else:
            if self._is_failing:
                log.info("usage is recorded again, from job %s on", job.id, extra={"job": job.id})
            self._is_failing = False
