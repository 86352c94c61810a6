"""The index of the jobs that have ended: an SQLite database beside their folders.

The folders are the truth. The index answers at once what would otherwise need a look into each of
them: the newest jobs that fit a filter, what all of them cost, which ones ended long ago. Its
results are hints that are checked in the job's folder, except the sums.

`STATE_DIR/index/` contains the database and its stamp (`app.state.stamp`). Each use of the database
takes the folder's lock and checks the stamp, so a file that a job has changed is never read. SQLite
works in a native thread (`app.jobs.index_database`). An index that cannot be used raises
IndexUnusable; the caller reads the folders then, and `app.jobs.index_upkeep` makes a new index.
"""

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar
from uuid import UUID

from app.jobs import index_database
from app.jobs import index_tables as tables
from app.jobs.index_database import PATIENCE
from app.jobs.index_entry import Amounts, Entry, Group, SessionTotals
from app.jobs.index_tables import Filter
from app.jobs.store import INDEX_STAMP, Position
from app.server.native_thread import NativeThreads
from app.state import files
from app.state.lock import locked
from app.state.stamp import Stamp, read_stamp, write_stamp

#: The folder in STATE_DIR, and the file in it.
FOLDER = "index"
DATABASE = "jobs.sqlite"

# Seconds for the lock. Only a job or a very slow disk takes that long.
_LOCK_PATIENCE = 0.5

Found = TypeVar("Found")


class IndexUnusable(Exception):
    """The index cannot be used now; the message says why."""


class JobIndex:
    """The index of one state folder. Every method raises IndexUnusable."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._folder = f"{state}/{FOLDER}"
        self._database = f"{self._folder}/{DATABASE}"
        self._stamp = f"{state}/{INDEX_STAMP}"
        self._threads = NativeThreads()

    def newest(self, wanted: Filter, before: Position | None, limit: int) -> list[Position]:
        """The jobs that fit the filter, the newest first; with `before`, only older ones."""
        query, values = tables.newest_query(wanted, before, limit)
        return self._read(
            lambda database: [
                Position(started, str(UUID(bytes=job_id)))
                for started, job_id in database.execute(query, values)
            ]
        )

    def recent_folders(self, user: str, limit: int) -> list[tuple[str, int]]:
        """The folders of a user's jobs, the latest first, each with its last job's `started`."""
        query = tables.RECENT_FOLDERS
        return self._read(lambda database: database.execute(query, (user, limit)).fetchall())

    def newest_sessions(
        self, user: str | None, before: tuple[float, str] | None, limit: int
    ) -> list[SessionTotals]:
        """The sessions of a user's jobs, or of all, the one used last first."""
        query, values = tables.sessions_query(user, before, limit)
        return self._read(
            lambda database: [SessionTotals(*row) for row in database.execute(query, values)]
        )

    def session_totals(
        self, user: str | None, sessions: Sequence[str], pending: Collection[str]
    ) -> tuple[dict[str, SessionTotals], set[str]]:
        """What a user's jobs, or all, used in these sessions, and which of `pending` count."""
        return self._read(
            lambda database: (
                {row[0]: SessionTotals(*row) for row in tables.totals_of(database, user, sessions)},
                tables.known_among(database, pending),
            )
        )

    def sums(self, pending: Collection[str]) -> tuple[dict[Group, Amounts], set[str]]:
        """What the kept jobs used, and which of the `pending` ones that includes."""
        return self._read(
            lambda database: (tables.read_sums(database), tables.known_among(database, pending))
        )

    def ended_before(self, moment: float, limit: int) -> list[str]:
        """The jobs that ended before a moment; those that ended first come first."""
        query = "SELECT id FROM jobs WHERE ended < ? ORDER BY ended LIMIT ?"
        return self._read(
            lambda database: [
                str(UUID(bytes=row[0])) for row in database.execute(query, (moment, limit))
            ]
        )

    def unknown(self, job_ids: Collection[str]) -> set[str]:
        """Which of these jobs are not in the index, even if it is not complete."""
        return set(job_ids) - self._read(
            lambda database: tables.known_among(database, job_ids), partly=True
        )

    def page(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Jobs in any order, each with its number, which is larger than `after`."""
        query = "SELECT number, id FROM jobs WHERE number > ? ORDER BY number LIMIT ?"
        return self._read(
            lambda database: [
                (number, str(UUID(bytes=job_id)))
                for number, job_id in database.execute(query, (after, limit))
            ],
            partly=True,
        )

    def add(self, entries: Iterable[Entry]) -> None:
        """Add jobs that have ended; those that are in the index are not changed."""
        added = list(entries)
        self._write(partial(tables.insert, entries=added))
        # A job may have been removed since its folder was read.
        ids = [entry.position.id for entry in added]
        self.remove([job_id for job_id in ids if not self._is_kept(job_id)])

    def remove(self, job_ids: Sequence[str]) -> None:
        """Remove jobs that are no longer kept."""
        if job_ids:
            self._write(partial(tables.remove, job_ids=job_ids))

    def check(self) -> bool:
        """Whether the index is complete."""
        with self._lock(shared=True):
            return self._fitting_stamp().is_complete

    def finish(self) -> None:
        """Mark the index as complete."""
        self._write(lambda _: None, is_complete=True)

    def distrust(self) -> None:
        """Mark the index as unusable, so that a new one is made."""
        files.discard(self._stamp)

    def start_anew(self) -> None:
        """Put an empty, incomplete index in place."""
        try:
            with suppress(FileNotFoundError):
                aside = f"{self._state}/removed/{FOLDER}.{time.monotonic_ns()}"
                os.rename(self._folder, aside)
            files.make_folder(self._folder)
            with self._lock(shared=False):
                files.write_file(self._database, b"")
                create = partial(index_database.create, self._database)
                self._threads.call(create, PATIENCE)
                write_stamp(self._stamp, self._database, is_complete=False)
        except (OSError, sqlite3.Error) as error:
            raise IndexUnusable(f"cannot make a new index: {error}") from error

    def _read(self, work: Callable[[sqlite3.Connection], Found], partly: bool = False) -> Found:
        """Read in a native thread; `partly` allows an index that is not complete."""
        with self._lock(shared=True):
            stamp = self._fitting_stamp()
            if not (stamp.is_complete or partly):
                raise IndexUnusable("the index is not complete yet")
            found = self._use(partial(index_database.read, self._database, work))
            if self._fitting_stamp() != stamp:
                raise IndexUnusable("the index changed while it was read")
        return found

    def _write(
        self, work: Callable[[sqlite3.Connection], object], is_complete: bool = False
    ) -> None:
        """Write in a native thread, in one transaction."""
        with self._lock(shared=False):
            stamp = self._fitting_stamp()
            for suffix in ("-journal", "-wal"):
                # A job made it. SQLite would read it, and wait if it is a pipe.
                if files.is_there(self._database + suffix):
                    self.distrust()
                    raise IndexUnusable(f"there is a file {DATABASE}{suffix}")
            try:
                self._use(partial(index_database.write, self._database, work))
            except IndexUnusable:
                # The disk is full, and SQLite undid it; other errors leave no stamp.
                if files.is_there(self._stamp):
                    write_stamp(self._stamp, self._database, stamp.is_complete)
                raise
            write_stamp(self._stamp, self._database, stamp.is_complete or is_complete)

    @contextmanager
    def _lock(self, shared: bool) -> Iterator[None]:
        try:
            with locked(self._folder, _LOCK_PATIENCE, shared):
                yield
        except OSError as error:
            raise IndexUnusable(f"cannot use the index: {error}") from error

    def _fitting_stamp(self) -> Stamp:
        stamp = read_stamp(self._stamp, self._database)
        if stamp is None:
            raise IndexUnusable("the index is missing, or was changed")
        return stamp

    def _use(self, work: Callable[[], Found]) -> Found:
        try:
            return self._threads.call(work, PATIENCE)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL:
                self.distrust()
            raise IndexUnusable(f"cannot use the index: {error}") from error
        except (TimeoutError, ValueError, TypeError, OverflowError) as error:
            # SQLite does not answer, or there is a value that a job has written.
            self.distrust()
            raise IndexUnusable(f"cannot use the index: {error}") from error

    def _is_kept(self, job_id: str) -> bool:
        try:
            os.lstat(f"{self._state}/jobs/{job_id}")
        except OSError as error:
            return error.errno not in (errno.ENOENT, errno.ENOTDIR)
        return True
