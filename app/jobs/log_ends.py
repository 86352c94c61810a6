"""The log of jobs' ends, each of which is logged and counted once."""

import logging
from collections.abc import Callable

from app.jobs.index_entry import Entry, entry_of
from app.jobs.job_json import seconds_between
from app.jobs.start_kind import start_kind
from app.jobs.store import Spool
from app.jobs.usage_record import UsageRecorder
from app.metrics import Metrics
from app.records import event_journal
from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest

log = logging.getLogger(__name__)


class EndLog:
    """Logs and counts ends in a worker. `note` is called with each end's entry for the index."""

    def __init__(
        self,
        spool: Spool,
        name_of: Callable[[str], str],
        metrics: Metrics,
        note: Callable[[Entry], None],
    ) -> None:
        self._spool = spool
        self._name_of = name_of
        self._metrics = metrics
        self._note = note
        self._usage = UsageRecorder(spool.state)

    def add(self, job: Job) -> None:
        """Log and count a job's end, if it has ended and was not logged before."""
        request, end = job.request(), job.end()
        entry = _record_end(self._usage, job, request, end)
        if not job.links.take_unlogged() or request is None or end is None:
            return
        log_end(request, end, self._name_of)
        if (kind := start_kind(job)) is not None and not end.never_started:
            self._metrics.count_run_start(kind)
        if end.start_retried:
            self._metrics.count_retried_start()
        self._metrics.count_end(end.status, _seconds(request, end), end.result)
        if entry is not None:
            self._note(entry)

    def add_all(self) -> None:
        """Log and count all ends that are not logged yet."""
        for job in self._spool.unlogged():
            self.add(job)


def log_unlogged(spool: Spool, name_of: Callable[[str], str]) -> None:
    """Log the ends that no worker has logged. They are not counted: workers have the counters.

    `name_of` returns the name of a user's id.
    """
    usage = UsageRecorder(spool.state)
    for job in spool.unlogged():
        request, end = job.request(), job.end()
        _record_end(usage, job, request, end)
        if job.links.take_unlogged() and request is not None and end is not None:
            log_end(request, end, name_of)


def _record_end(
    usage: UsageRecorder, job: Job, request: JobRequest | None, end: JobEnd | None
) -> Entry | None:
    """Add an end to the ledger and the journal, unless it was logged; returns its index entry.

    That is done before the end is marked as logged. If this process dies in between, the job is in
    the ledger twice, which a reader of it notices; a missing one it could not.
    """
    if request is None or end is None or not job.links.is_unlogged():
        return None
    entry = entry_of(job, request, end)
    if entry is not None:
        usage.add(job, entry, end)
    event_journal.note(job.state, "job", job.id)
    return entry


def log_end(request: JobRequest, end: JobEnd, name_of: Callable[[str], str]) -> None:
    """Log how a job ended, in one line."""
    seconds = _seconds(request, end)
    # The status shows this already.
    why = "" if end.status == "cancelled" else end.error or end.reason
    log.info(
        "job %s %s after %.3f s%s",
        request.id,
        end.status,
        seconds,
        f": {why}" if why else "",
        extra={
            "request_id": request.request_id,
            "job": request.id,
            "user": name_of(request.user),
            "job_status": end.status,
            "duration_seconds": seconds,
        },
    )


def _seconds(request: JobRequest, end: JobEnd) -> float:
    # A clock may be set back.
    return max(0.0, seconds_between(request.started_at, end.ended_at))
