"""The SQLite database of the index of jobs, used so that no job can hold it up.

SQLite works without its locks and journals, which a job could hold or make: callers have the lock
of the index's folder, and an interrupted write leaves a file that does not fit its stamp. A
statement is given up after `PATIENCE` seconds.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import TypeVar
from urllib.parse import quote

from app.jobs import index_tables as tables

#: Seconds for SQLite. Only a job or a very slow disk takes that long.
PATIENCE = 5.0
# SQLite's instructions between two looks at the clock.
_INSTRUCTIONS = 100_000

Found = TypeVar("Found")


def read(path: str, work: Callable[[sqlite3.Connection], Found]) -> Found:
    """What `work` returns, which only reads. Raises sqlite3.Error."""
    # Immutable: SQLite takes no lock and ignores journals, which a job could have made.
    with closing(_connect(path, "mode=ro&immutable=1")) as database:
        _check_version(database)
        return work(database)


def write(path: str, work: Callable[[sqlite3.Connection], object]) -> None:
    """Do `work` in one transaction. Raises sqlite3.Error."""
    # Without SQLite's lock, which a job can hold: the folder's lock is enough.
    with closing(_connect(path, "mode=rw&vfs=unix-none")) as database:
        database.execute("PRAGMA journal_mode = MEMORY")
        database.execute("PRAGMA synchronous = OFF")
        # Nothing of a removed job stays in the file.
        database.execute("PRAGMA secure_delete = ON")
        database.execute("BEGIN IMMEDIATE")
        _check_version(database)
        try:
            work(database)
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise


def create(path: str) -> None:
    """Make the tables in an empty file. Raises sqlite3.Error."""
    with closing(_connect(path, "mode=rw&vfs=unix-none")) as database:
        database.execute("PRAGMA journal_mode = MEMORY")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(tables.SCHEMA)


def _check_version(database: sqlite3.Connection) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != tables.VERSION:
        raise sqlite3.DatabaseError(f"it is of version {version}")


def _connect(path: str, options: str) -> sqlite3.Connection:
    database = sqlite3.connect(
        f"file:{quote(path)}?{options}",
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )
    deadline = time.monotonic() + PATIENCE
    database.set_progress_handler(lambda: time.monotonic() > deadline, _INSTRUCTIONS)
    for pragma in ("mmap_size = 0", "trusted_schema = OFF", "temp_store = MEMORY"):
        database.execute(f"PRAGMA {pragma}")
    return database
