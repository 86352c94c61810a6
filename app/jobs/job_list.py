"""The list of jobs that a user may see, filtered by a client's choice."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.auth.users import User, Users
from app.errors import JobNotFound
from app.jobs import listing
from app.jobs.index import JobIndex
from app.jobs.index_tables import Filter
from app.jobs.job_json import render_row, session_of
from app.jobs.service import JobService
from app.jobs.statistics import Statistics
from app.jobs.store import Position, Spool, position_of
from app.records import question_list
from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest
from app.runs.queue_file import place_of

#: The statuses of a job, and one more: a job that waits for an answer runs, too.
STATUSES = ("queued", "running", "succeeded", "failed", "cancelled", "timed_out", "lost")
WAITING = "waiting"
COUNTED = (*STATUSES[:2], WAITING, *STATUSES[2:])

# Jobs between two pauses in which other greenlets run.
_PORTION = 10


class Choice(NamedTuple):
    """Which jobs a client asks for; None is any, and so is no status.

    `user` is a name. `text` is a part of the title, in any case of ASCII letters. `before` is the
    id of a job: only those that were started earlier.
    """

    statuses: tuple[str, ...] = ()
    user: str | None = None
    session: str | None = None
    cwd: str | None = None
    text: str | None = None
    before: str | None = None


class _Found(NamedTuple):
    job: Job
    request: JobRequest
    end: JobEnd | None


class JobList:
    """The list of jobs of one state folder, as one worker sees it."""

    def __init__(self, jobs: JobService, spool: Spool, index: JobIndex, users: Users) -> None:
        self._jobs = jobs
        self._spool = spool
        self._index = index
        self._users = users
        self._statistics = Statistics(spool, index)

    def newest(
        self, user: User, choice: Choice, limit: int, *, short: bool = False
    ) -> list[dict[str, Any]]:
        """The records, or with `short` the short records, of jobs that this user may see.

        The newest come first. Raises JobNotFound if there is no job `before` for this user.
        """
        place = None
        if choice.before is not None:
            place = position_of(self._jobs.find(choice.before, user))
            if place is None:
                raise JobNotFound(choice.before)
        asking = self.open_questions()
        rows: list[dict[str, Any]] = []
        for found in self._fitting(user, choice, place, asking):
            try:
                row = self._row(found, asking) if short else self._jobs.record_of(*found)
            except JobNotFound:
                # Its record is damaged, or it was removed just now.
                continue
            if _has_status(row["status"], found.job, choice.statuses, asking):
                rows.append(row)
            if len(rows) == limit:
                break
        return rows

    def row(self, job: Job) -> dict[str, Any]:
        """The short record of a job. Raises JobNotFound."""
        request = job.request()
        if request is None:
            raise JobNotFound(job.id)
        return self._row(_Found(job, request, job.end()), self.open_questions())

    def totals(self, user: User) -> dict[str, int]:
        """How many of the jobs that this user may see have each status."""
        counts = self._statistics.ended(user.may_see)
        asking = self.open_questions()
        for job in self._spool.living():
            request = job.request()
            if request is None or not user.may_see(request.user) or job.has_ended():
                continue
            counts["running" if job.is_claimed() else "queued"] += 1
            counts[WAITING] += job.id in asking
        return {status: counts[status] for status in COUNTED}

    def open_questions(self) -> Counter[str]:
        """How many questions of each job need an answer."""
        return Counter(job_id for job_id, _ in question_list.listed(self._spool.state))

    def _fitting(
        self, user: User, choice: Choice, before: Position | None, asking: Counter[str]
    ) -> Iterator[_Found]:
        """The jobs that this user may see and that fit, if they go on as they are."""
        ids = None if choice.user is None else self._users.ids_of(choice.user)
        if not user.may_see(""):
            # Another user does not exist for this one.
            ids = {user.id} if ids is None else ids & {user.id}
        if ids is not None and not ids:
            return
        statuses = tuple("running" if each == WAITING else each for each in choice.statuses)
        wanted = Filter(
            statuses,
            min(ids) if ids is not None and len(ids) == 1 else None,
            choice.session,
            choice.cwd,
            choice.text,
        )
        for number, job in enumerate(listing.newest(self._spool, self._index, wanted, before)):
            if number % _PORTION == _PORTION - 1:
                time.sleep(0)
            request, end = job.request(), job.end()
            if request is None or (ids is not None and request.user not in ids):
                continue
            if end is not None and not _has_status(end.status, job, choice.statuses, asking):
                continue
            if _fits(job, request, end, choice):
                yield _Found(job, request, end)

    def _row(self, found: _Found, asking: Counter[str]) -> dict[str, Any]:
        job, request, end = found
        if end is None:
            self._spool.close_if_dead(job)
            end = job.end()
        name = self._users.name_of(request.user)
        place = None if end else place_of(job)
        return render_row(job, request, name, end, place, 0 if end else asking[job.id])


def _has_status(status: str, job: Job, wanted: tuple[str, ...], asking: Counter[str]) -> bool:
    if not wanted or status in wanted:
        return True
    return WAITING in wanted and status == "running" and job.id in asking


def _fits(job: Job, request: JobRequest, end: JobEnd | None, choice: Choice) -> bool:
    """Whether a job fits all but the status."""
    return (
        choice.cwd in (None, request.cwd)
        and (choice.text is None or _folded(choice.text) in _folded(request.title or ""))
        and (choice.session is None or choice.session == session_of(job, request, end))
    )


def _folded(text: str) -> str:
    """Text without a difference between small and capital letters of ASCII, as in the index."""
    return text.translate(_SMALL)


_SMALL = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}
