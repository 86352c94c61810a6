"""The tables of the index of jobs, with their queries. Only SQLite, no files.

`jobs` has a row for each kept job that has ended. `sums` has what jobs used, by day, user, model
and status.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from app.jobs.index_entry import NOTHING, Amounts, Entry, Group
from app.jobs.store import Position

#: Increased with each change of the tables: an index of another version is replaced.
VERSION = 2

# Ids in one query; SQLite before 3.32 takes at most 999 values.
_IDS = 500

SCHEMA = f"""
    PRAGMA user_version = {VERSION};
    CREATE TABLE jobs (
        number INTEGER PRIMARY KEY, id BLOB, started INTEGER, ended REAL, user TEXT, status TEXT,
        session TEXT, cwd TEXT, title TEXT, day TEXT, model TEXT, cost INTEGER, input INTEGER,
        output INTEGER, cache_read INTEGER, cache_creation INTEGER, milliseconds INTEGER
    );
    CREATE UNIQUE INDEX by_id ON jobs (id);
    CREATE INDEX by_start ON jobs (started, id, user, title);
    CREATE INDEX by_user ON jobs (user, started, id, status);
    CREATE INDEX by_status ON jobs (status, started, id);
    CREATE INDEX by_cwd ON jobs (cwd, started, id, user, status);
    CREATE INDEX by_session ON jobs (session);
    CREATE INDEX by_end ON jobs (ended);
    CREATE TABLE sums (
        day TEXT, user TEXT, model TEXT, status TEXT, jobs INTEGER, cost INTEGER, input INTEGER,
        output INTEGER, cache_read INTEGER, cache_creation INTEGER, milliseconds INTEGER,
        PRIMARY KEY (day, user, model, status)
    ) WITHOUT ROWID;
"""

RECENT_FOLDERS = """
    SELECT cwd, MAX(started) AS latest FROM jobs INDEXED BY by_cwd WHERE user = ? GROUP BY cwd
    ORDER BY latest DESC LIMIT ?
"""

# SQLite takes `cwd` and `title` from the row with the maximum. TOTAL, unlike SUM, cannot overflow.
# A session's id is a UUID; a job can print anything as one.
_TOTALS = """
    SELECT session, MAX(ended) AS last, TOTAL(cost), COUNT(*), cwd, title FROM jobs
    WHERE length(session) = 36
"""


class Filter(NamedTuple):
    """Which jobs to list; None is any, and so is no status. `text` is a part of the title."""

    statuses: tuple[str, ...] = ()
    user: str | None = None
    session: str | None = None
    cwd: str | None = None
    text: str | None = None


def newest_query(wanted: Filter, before: Position | None, limit: int) -> tuple[str, list[object]]:
    """The query for the newest jobs, with the best index of the table.

    >>> newest_query(Filter(("failed", "lost")), None, 50)[0].partition("FROM ")[2]
    'jobs INDEXED BY by_status WHERE status IN (?, ?) ORDER BY started DESC, id DESC LIMIT ?'
    """
    fields = wanted._asdict()
    text, statuses = fields.pop("text"), fields.pop("statuses")
    terms = [f"{name} = ?" for name, value in fields.items() if value is not None]
    values: list[object] = [_plain(value) for value in fields.values() if value is not None]
    if statuses:
        terms.append(f"status IN ({', '.join('?' * len(statuses))})")
        values += statuses
    if text is not None:
        terms.append(r"title LIKE ? ESCAPE '\'")
        escaped = "".join(f"\\{each}" if each in r"\%_" else each for each in text)
        values.append(f"%{_plain(escaped)}%")
        use = "INDEXED BY by_start"
    elif wanted.session is not None:
        use = "INDEXED BY by_session"
    elif wanted.cwd is not None:
        use = "INDEXED BY by_cwd"
    elif wanted.user is not None:
        use = "INDEXED BY by_user"
    elif statuses:
        use = "INDEXED BY by_status"
    else:
        use = "INDEXED BY by_start"
    if before is not None:
        terms.append("(started, id) < (?, ?)")
        values += [before.started, UUID(before.id).bytes]
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    order = "ORDER BY started DESC, id DESC LIMIT ?"
    return f"SELECT started, id FROM jobs {use}{where} {order}", [*values, limit]  # noqa: S608


def sessions_query(
    user: str | None, before: tuple[float, str] | None, limit: int
) -> tuple[str, list[object]]:
    """The query for the sessions of a user's jobs, or of all, the one used last first."""
    values: list[object] = []
    of_user = after = ""
    if user is not None:
        of_user = "AND user = ?"
        values.append(_plain(user))
    if before is not None:
        after = "WHERE (last, session) < (?, ?)"
        values += before
    query = f"SELECT * FROM ({_TOTALS} {of_user} GROUP BY session) {after}"  # noqa: S608
    return f"{query} ORDER BY last DESC, session DESC LIMIT ?", [*values, limit]


def totals_of(
    database: sqlite3.Connection, user: str | None, sessions: Sequence[str]
) -> list[tuple[str, float, float, int, str, str | None]]:
    """What the jobs of these sessions used, of this user or of all."""
    of_user = "" if user is None else "AND user = ?"
    found = []
    for start in range(0, len(sessions), _IDS):
        some = [_plain(each) for each in sessions[start : start + _IDS]]
        query = f"{_TOTALS} AND session IN ({', '.join('?' * len(some))}) {of_user}"
        values = some if user is None else [*some, _plain(user)]
        found += database.execute(f"{query} GROUP BY session", values).fetchall()
    return found


def insert(database: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Add jobs and count them; those that are in the table are not changed."""
    by_id = {entry.position.id: entry for entry in entries}
    known = known_among(database, by_id)
    new = [entry for job_id, entry in by_id.items() if job_id not in known]
    row = f"(NULL{', ?' * 16})"
    database.executemany(f"INSERT INTO jobs VALUES {row}", map(_row, new))  # noqa: S608
    _change_sums(database, _by_group(new), 1)


def known_among(database: sqlite3.Connection, job_ids: Iterable[str]) -> set[str]:
    """Which of these jobs are in the index."""
    ids = [UUID(job_id).bytes for job_id in job_ids]
    found: set[str] = set()
    for start in range(0, len(ids), _IDS):
        some = ids[start : start + _IDS]
        query = f"SELECT id FROM jobs WHERE id IN ({', '.join('?' * len(some))})"  # noqa: S608
        found.update(str(UUID(bytes=row[0])) for row in database.execute(query, some))
    return found


def remove(database: sqlite3.Connection, job_ids: Iterable[str]) -> None:
    """Remove jobs from the table and from the sums."""
    taken: dict[Group, Amounts] = defaultdict(lambda: NOTHING)
    names = ", ".join((*Group._fields, *Amounts._fields[1:]))
    query = f"SELECT {names} FROM jobs WHERE id = ?"  # noqa: S608
    for job_id in job_ids:
        key = (UUID(job_id).bytes,)
        for row in database.execute(query, key).fetchall():
            group = Group(*row[:4])
            taken[group] = taken[group].plus(Amounts(1, *row[4:]))
        database.execute("DELETE FROM jobs WHERE id = ?", key)
    _change_sums(database, taken, -1)


def _by_group(entries: Iterable[Entry]) -> dict[Group, Amounts]:
    sums: dict[Group, Amounts] = defaultdict(lambda: NOTHING)
    for entry in entries:
        group = Group(*map(_plain, entry.group))
        sums[group] = sums[group].plus(entry.amounts)
    return sums


def read_sums(database: sqlite3.Connection) -> dict[Group, Amounts]:
    """What the jobs used."""
    rows = database.execute("SELECT * FROM sums")
    return {Group(*row[:4]): Amounts(*row[4:]) for row in rows}


def _change_sums(database: sqlite3.Connection, changes: Mapping[Group, Amounts], sign: int) -> None:
    where = "WHERE day = ? AND user = ? AND model = ? AND status = ?"
    for group, change in changes.items():
        row = database.execute(f"SELECT * FROM sums {where}", group).fetchone()  # noqa: S608
        amounts = (NOTHING if row is None else Amounts(*row[4:])).plus(change, sign)
        if amounts.jobs:
            row = (*group, *amounts)
            places = ", ".join("?" * len(row))
            database.execute(f"INSERT OR REPLACE INTO sums VALUES ({places})", row)  # noqa: S608
        else:
            database.execute(f"DELETE FROM sums {where}", group)  # noqa: S608


def _row(entry: Entry) -> tuple[object, ...]:
    title = None if entry.title is None else _plain(entry.title)
    session = None if entry.session is None else _plain(entry.session)
    day, user, model, status = map(_plain, entry.group)
    started, job_id = entry.position
    found = (UUID(job_id).bytes, started, entry.ended, user, status, session, _plain(entry.cwd))
    return (*found, title, day, model, *entry.amounts[1:])


def _plain(text: str) -> str:
    """Text for SQLite: without lone surrogates, which a record may have."""
    return text.encode(errors="replace").decode()
