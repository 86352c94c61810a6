"""The sessions of the CLI for clients: of their jobs and, for the operator, of terminals."""

import os
import time
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Any, Literal, NamedTuple

from app.auth.users import User, Users
from app.cli.transcript_files import TranscriptFile
from app.cli.transcript_summary import Summary, short_text
from app.cli.transcripts import is_session_id
from app.errors import SessionNotFound
from app.jobs import listing
from app.jobs.index import JobIndex
from app.jobs.index_entry import SessionTotals
from app.jobs.index_tables import Filter
from app.jobs.session_totals import Recent, SessionPlace, SessionSums, place_of, session_of
from app.jobs.session_transcripts import SessionTranscripts
from app.jobs.sessions import Sessions
from app.jobs.store import Spool
from app.records import session_users
from app.timestamps import at

#: Jobs of a session, at most.
MOST_JOBS = 100
# Sessions whose transcripts are read at once, and sessions and seconds for one page.
_PORTION = 50
_MOST_LOOKED_AT = 1_000
_SECONDS = 3.0
# Jobs between two pauses.
_JOBS = 20
_LAST_SECOND = 253_402_300_799.0

Origin = Literal["gateway", "terminal"]


class Wanted(NamedTuple):
    """Which sessions to list; None is any. `text` is a part of the title."""

    cwd: str | None = None
    text: str | None = None
    origin: Origin | None = None


class _Found(NamedTuple):
    """A session: what its jobs used, if it has any, and its transcript, if it is known."""

    place: SessionPlace
    totals: SessionTotals | None
    file: TranscriptFile | None

    @property
    def session(self) -> str:
        """Its id."""
        return self.place.session


class _Context(NamedTuple):
    """What is known of all sessions while a page of them is made; `files` is None if unknown."""

    user: User
    recent: dict[str, Recent]
    files: dict[str, TranscriptFile] | None


class SessionList:
    """The sessions that users may see."""

    def __init__(
        self,
        spool: Spool,
        index: JobIndex,
        users: Users,
        sessions: Sessions,
        transcripts: SessionTranscripts,
    ) -> None:
        self._spool = spool
        self._index = index
        self._users = users
        self._sessions = sessions
        self._transcripts = transcripts
        self._sums = SessionSums(spool, index)

    def rows(
        self, user: User, wanted: Wanted, limit: int, before: SessionPlace | None
    ) -> tuple[list[dict[str, Any]], SessionPlace | None]:
        """The sessions, the one used last first, and the place to go on from; None at the end.

        There may be fewer than `limit` rows before the end. Raises DiskTooSlow.
        """
        files = self._transcripts.all()
        totals, recent = self._sums.newest(user, before)
        context = _Context(user, recent, files)
        known = session_users.known(self._spool.state)
        if wanted.origin == "terminal":
            totals = (row for row in totals if row.session not in known)
        found = merge(
            (_Found(place_of(row), row, (files or {}).get(row.session)) for row in totals),
            self._begun_in_terminals(context, known, before) if wanted.origin != "gateway" else (),
            key=lambda each: each.place,
            reverse=True,
        )
        rows: list[dict[str, Any]] = []
        deadline, looked_at = time.monotonic() + _SECONDS, 0
        while portion := list(islice(found, min(_PORTION, max(limit, 10)))):
            owners = self._owners(context, wanted, portion)
            shown = self._located(context, [each for each in portion if each.session in owners])
            summaries = self._transcripts.summaries([each.file for each in shown if each.file])
            for each in shown:
                summary = summaries.get(each.session)
                if _is_listed(context, each, summary):
                    row = self._render(context, each, summary or Summary(), owners[each.session])
                    if _fits(row, wanted):
                        rows.append(row)
                if len(rows) == limit:
                    is_last = each is shown[-1] and portion[-1].place == each.place
                    ends = is_last and next(found, None) is None
                    return rows, None if ends else each.place
            looked_at += len(shown)
            if looked_at >= _MOST_LOOKED_AT or time.monotonic() > deadline:
                return rows, portion[-1].place
        return rows, None

    def one(self, user: User, session: str) -> tuple[dict[str, Any], TranscriptFile | None]:
        """A session's row and its transcript, if it has one. Raises SessionNotFound."""
        if not is_session_id(session):
            raise SessionNotFound(session)
        owner = self._sessions.user_of(session)
        if not _may_see(user, owner):
            raise SessionNotFound(session)
        totals, recent = self._sums.of(user, session)
        file = self._transcripts.find(session)
        if totals:
            place = place_of(totals)
        elif file:
            place = SessionPlace(file.changed, session)
        else:
            raise SessionNotFound(session)
        summary = self._transcripts.summaries([file]).get(session) if file else None
        context = _Context(user, {session: recent}, None)
        return self._render(context, _Found(place, totals, file), summary or Summary(), owner), file

    def jobs(self, user: User, session: str) -> list[str]:
        """The jobs of a session that this user may see, the newest first, at most MOST_JOBS."""
        found: list[str] = []
        wanted = Filter(user=None if user.is_operator or user.shares else user.id, session=session)
        for number, job in enumerate(listing.newest(self._spool, self._index, wanted, None)):
            if number % _JOBS == _JOBS - 1:
                time.sleep(0)
            request = job.request()
            if request is None or not user.may_see(request.user):
                continue
            if session_of(job, request, job.end()) == session:
                found.append(job.id)
            if len(found) == MOST_JOBS:
                break
        return found

    def page(
        self, file: TranscriptFile | None, before: int | None, limit: int, notes: bool
    ) -> tuple[list[dict[str, Any]], int | None]:
        """A page of a transcript and the position before it. Raises DiskTooSlow."""
        if file is None:
            return [], None
        page = self._transcripts.page(file, before, limit, notes)
        return page.entries, page.before

    def _begun_in_terminals(
        self, context: _Context, known: set[str], before: SessionPlace | None
    ) -> Iterator[_Found]:
        """The sessions without a job or a `known` user, for the operator."""
        if not context.user.is_operator or not context.files:
            return
        found = sorted(
            (
                _Found(SessionPlace(file.changed, session), None, file)
                for session, file in context.files.items()
                if session not in known and session not in context.recent
            ),
            key=lambda each: each.place,
            reverse=True,
        )
        rest = (each for each in found if before is None or each.place < before)
        while portion := list(islice(rest, _PORTION)):
            with_jobs = self._sums.known([each.session for each in portion])
            yield from (each for each in portion if each.session not in with_jobs)

    def _owners(
        self, context: _Context, wanted: Wanted, portion: list[_Found]
    ) -> dict[str, str | None]:
        """The owners of those sessions that the user may see, by what is known without a look."""
        owners: dict[str, str | None] = {}
        for each in portion:
            owner = self._owner(context, each.session)
            fits = wanted.origin in (None, _origin(owner)) and (
                each.totals is None or _is_in(each.totals.cwd, wanted.cwd)
            )
            if _may_see(context.user, owner) and fits and is_session_id(each.session):
                owners[each.session] = owner
        return owners

    def _owner(self, context: _Context, session: str) -> str | None:
        owner = session_users.user_of(self._spool.state, session)
        recent = context.recent.get(session)
        return recent.beginner if owner is None and recent else owner

    def _located(self, context: _Context, portion: list[_Found]) -> list[_Found]:
        """The same, with the transcripts that are too new to be among all."""
        if context.files is None:
            return portion
        new = {each.session: each.totals.cwd for each in portion if each.totals and not each.file}
        files = self._transcripts.find_all(new) if new else {}
        return [each._replace(file=each.file or files.get(each.session)) for each in portion]

    def _render(
        self, context: _Context, found: _Found, summary: Summary, owner: str | None
    ) -> dict[str, Any]:
        totals, recent = found.totals, context.recent.get(found.session)
        cost = round(totals.cost / 1e9, 6) if totals else None
        return {
            "session_id": found.session,
            "title": summary.title or short_text(totals and totals.title),
            "cwd": totals.cwd if totals else summary.cwd,
            "turns": summary.turns or (totals and totals.jobs),
            "cost_usd": cost if owner is not None else summary.cost or cost,
            "last_used": at(min(max(0.0, found.place.last), _LAST_SECOND)),
            "origin": _origin(owner),
            "user": self._users.name_of(owner) if owner is not None else None,
            "running_job": recent.running if recent else None,
        }


def _is_listed(context: _Context, found: _Found, summary: Summary | None) -> bool:
    """Whether a session is in the list: it can be continued, or a job of it has not ended."""
    # Without a transcript it cannot be continued: it was not saved, or is removed by now. A new one
    # has none yet, and other versions of the CLI may keep them elsewhere.
    is_saved = summary is not None and summary.is_session
    recent = context.recent.get(found.session)
    return is_saved or bool(recent and recent.running) or context.files is None


def _may_see(user: User, owner: str | None) -> bool:
    """Whether a user may see a session; one without an owner was begun in a terminal."""
    return user.is_operator if owner is None else user.may_see(owner)


def _fits(row: dict[str, Any], wanted: Wanted) -> bool:
    text = wanted.text
    return _is_in(row["cwd"] or "", wanted.cwd) and (
        text is None or text.casefold() in (row["title"] or "").casefold()
    )


def _is_in(cwd: str, wanted: str | None) -> bool:
    return wanted is None or os.path.normpath(wanted) == os.path.normpath(cwd)


def _origin(owner: str | None) -> Origin:
    return "terminal" if owner is None else "gateway"
