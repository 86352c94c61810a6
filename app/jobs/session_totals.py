"""What the jobs of each session used: from the index of jobs, and from jobs not in it yet."""

import time
from collections.abc import Iterable, Iterator
from heapq import merge
from typing import NamedTuple

from app.auth.users import User
from app.cli.transcripts import is_session_id
from app.jobs.index import IndexUnusable, JobIndex
from app.jobs.index_entry import SessionTotals, entry_of
from app.jobs.store import Spool, position_of
from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest

# Sessions that are read from the index at once: at first and, because each read adds up all jobs,
# later.
_PAGE = 100
_LATER_PAGE = 5_000
# Jobs between two pauses.
_PORTION = 20


class SessionPlace(NamedTuple):
    """A session's place in the list: the time of its last job or message, and its id."""

    last: float
    session: str


class Recent(NamedTuple):
    """What is known of a session by jobs that may not be in the index yet.

    `running` is a job that has not ended. `beginner` is the user of the job that began the session;
    the record of it may not be written yet.
    """

    running: str | None = None
    beginner: str | None = None


class SessionSums:
    """The sessions of the jobs that a user may see."""

    def __init__(self, spool: Spool, index: JobIndex) -> None:
        self._spool = spool
        self._index = index

    def newest(
        self, user: User, before: SessionPlace | None
    ) -> tuple[Iterator[SessionTotals], dict[str, Recent]]:
        """The sessions, the one used last first, and what recent jobs add to them.

        The latter has all sessions if there is no index.
        """
        # First, so that a job that enters the index meanwhile is counted.
        recent, by_session = self._recent(user)
        indexed: Iterator[SessionTotals]
        try:
            sums = self._with_recent(user, recent)
            # Raises IndexUnusable here, not while the caller reads.
            first = self._page(user, before, _PAGE)
        except IndexUnusable:
            sums, indexed = self._from_folders(user, recent), iter(())
            by_session = {**dict.fromkeys(sums, Recent()), **by_session}
        else:
            indexed = (row for row in self._rest(user, first) if row.session not in sums)
        found = sorted(
            (row for row in sums.values() if before is None or place_of(row) < before),
            key=place_of,
            reverse=True,
        )
        return merge(found, indexed, key=place_of, reverse=True), by_session

    def of(self, user: User, session: str) -> tuple[SessionTotals | None, Recent]:
        """One session."""
        recent, by_session = self._recent(user)
        try:
            sums = self._with_recent(user, recent, session)
        except IndexUnusable:
            sums = self._from_folders(user, recent)
        return sums.get(session), by_session.get(session, Recent())

    def known(self, sessions: Iterable[str]) -> set[str]:
        """Which of these sessions have jobs in the index."""
        try:
            return set(self._index.session_totals(None, list(sessions), [])[0])
        except IndexUnusable:
            # `newest` has read the folders, and returned all of them.
            return set()

    def _rest(self, user: User, page: list[SessionTotals]) -> Iterator[SessionTotals]:
        size = _PAGE
        while True:
            yield from page
            if len(page) < size:
                return
            size = _LATER_PAGE
            try:
                page = self._page(user, place_of(page[-1]), size)
            except IndexUnusable:
                # The next request reads the folders.
                return

    def _page(self, user: User, before: SessionPlace | None, size: int) -> list[SessionTotals]:
        return self._index.newest_sessions(_user_of(user), before, size)

    def _with_recent(
        self, user: User, recent: dict[str, SessionTotals], *others: str
    ) -> dict[str, SessionTotals]:
        """The totals of the sessions of recent jobs, and of others."""
        sessions = [*{row.session for row in recent.values()}, *others]
        sums, counted = self._index.session_totals(_user_of(user), sessions, list(recent))
        for job_id, row in recent.items():
            if job_id not in counted:
                _add(sums, row)
        return sums

    def _from_folders(
        self, user: User, recent: dict[str, SessionTotals]
    ) -> dict[str, SessionTotals]:
        sums: dict[str, SessionTotals] = {}
        for row in recent.values():
            _add(sums, row)
        for number, job in enumerate(self._spool.kept()):
            if number % _PORTION == _PORTION - 1:
                time.sleep(0)
            found = None if job.id in recent else _row_of(job, user)
            if found:
                _add(sums, found)
        return sums

    def _recent(self, user: User) -> tuple[dict[str, SessionTotals], dict[str, Recent]]:
        """What the jobs used that may not be in the index yet, by job, and their sessions."""
        rows: dict[str, SessionTotals] = {}
        sessions: dict[str, Recent] = {}
        for number, job in enumerate(self._spool.recent().values()):
            if number % _PORTION == _PORTION - 1:
                time.sleep(0)
            row, request = _row_of(job, user), job.request()
            if row is None or request is None:
                continue
            rows[job.id] = row
            known = sessions.get(row.session, Recent())
            if not job.has_ended():
                known = known._replace(running=job.id)
            if request.continues != row.session:
                known = known._replace(beginner=request.user)
            sessions[row.session] = known
        return rows, sessions


def session_of(job: Job, request: JobRequest, end: JobEnd | None) -> str | None:
    """The session that a job writes to, once it is known."""
    try:
        found = end.session_id if end else job.read_session()
    except OSError:
        # The output was removed.
        found = None
    found = found or request.continues or request.new_session
    return found if found and is_session_id(found) else None


def place_of(row: SessionTotals) -> SessionPlace:
    """The session's place in the list."""
    return SessionPlace(row.last, row.session)


def _user_of(user: User) -> str | None:
    return None if user.is_operator or user.shares else user.id


def _row_of(job: Job, user: User) -> SessionTotals | None:
    """What one job used; None if this user may not see it, or if it has no session."""
    request, end, position = job.request(), job.end(), position_of(job)
    if request is None or position is None or not user.may_see(request.user):
        return None
    session = session_of(job, request, end)
    if session is None:
        return None
    entry = entry_of(job, request, end)
    last, cost = (entry.ended, entry.amounts.cost) if entry else (position.started / 1e9, 0)
    return SessionTotals(session, last, cost, 1, request.cwd, request.title)


def _add(sums: dict[str, SessionTotals], row: SessionTotals) -> None:
    known = sums.get(row.session)
    if known is not None:
        latest = max(known, row, key=lambda each: each.last)
        row = latest._replace(cost=known.cost + row.cost, jobs=known.jobs + row.jobs)
    sums[row.session] = row
