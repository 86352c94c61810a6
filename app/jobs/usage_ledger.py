"""The ledger of usage, read: sums of its months, and the removal of old ones.

`STATE_DIR/usage/` has a file of lines for each month (`app.records.usage_line`). A month that is
over is summed up once, in `<month>.sums`, which also says from which file it was made; sums that do
not fit are made anew. The month that goes on is read from where the last look ended. All of that
happens in a native thread.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from app.errors import DiskTooSlow
from app.jobs.usage_sums import LONGEST_LINE, MonthSums
from app.records.usage_line import FOLDER, LARGEST_MONTH
from app.server.native_thread import NativeThreads
from app.state import files

# Seconds for a look at the ledger, and those after which it ends itself, for the next one to go on
# from there. Only a job or a very slow disk takes that long.
_PATIENCE = 50.0
_MOST_SECONDS = 40.0
# Bytes of all months together: the oldest ones go first.
_MOST_BYTES = 512 << 20
# Bytes that are read at once, and those of the largest file of sums.
_PIECE = 1 << 20
_LARGEST_SUMS = 32 << 20
_DAY = 86_400.0
_NAME = re.compile(r"(\d{4}-\d\d)\.(jsonl|sums)", re.ASCII)

Report = TypeVar("Report")


class _TookTooLong(Exception):
    """A look at the ledger has ended itself."""


class _OpenMonth:
    """A month that goes on: its sums up to a position in the file."""

    def __init__(self, month: str, inode: int) -> None:
        self.sums = MonthSums(month)
        self.inode = inode
        self.position = 0


class UsageLedger:
    """The ledger of one state folder, for the time of `retention` in seconds."""

    def __init__(self, state: str, retention: float) -> None:
        self._folder = f"{state}/{FOLDER}"
        self._retention = retention
        self._threads = NativeThreads()
        self._lock = threading.Lock()
        self._open: dict[str, _OpenMonth] = {}

    def report(
        self, first: str, last: str, make: Callable[[Iterable[MonthSums]], Report]
    ) -> Report:
        """What `make` returns, in a native thread, for the months from one day to another.

        Raises DiskTooSlow.
        """
        work = partial(_report, self._folder, first, last, self._open, make)
        with self._lock:
            try:
                return self._threads.call(work, _PATIENCE)
            except _TookTooLong:
                raise DiskTooSlow from None
            except TimeoutError:
                # That thread may go on with these.
                self._open = {}
                raise DiskTooSlow from None

    def first_day(self) -> str:
        """The first day that is kept."""
        return _day_of(time.time() - self._retention)

    def tidy(self) -> None:
        """Remove the months that are kept no longer, and sum up those that are over."""
        try:
            self._threads.call(partial(_tidy, self._folder, self.first_day()[:7]), _PATIENCE)
        except (_TookTooLong, TimeoutError, OSError):
            # The next time is in an hour.
            return


def _report(
    folder: str,
    first: str,
    last: str,
    is_open: dict[str, _OpenMonth],
    make: Callable[[Iterable[MonthSums]], Report],
) -> Report:
    this_month, deadline = _this_month(), time.monotonic() + _MOST_SECONDS
    for month in [each for each in is_open if each != this_month]:
        del is_open[month]
    months = (
        _open_month(folder, month, is_open, deadline)
        if month >= this_month
        else _closed_month(folder, month, deadline)
        for month in _months(first[:7], min(last[:7], this_month))
    )
    return make(months)


def _open_month(
    folder: str, month: str, is_open: dict[str, _OpenMonth], deadline: float
) -> MonthSums:
    try:
        descriptor = files.open_file(f"{folder}/{month}.jsonl")
    except OSError:
        return MonthSums(month)
    try:
        found = os.fstat(descriptor)
        known = is_open.get(month)
        if known is None or known.inode != found.st_ino or known.position > found.st_size:
            known = is_open[month] = _OpenMonth(month, found.st_ino)
        _read(descriptor, known, deadline)
        return known.sums
    finally:
        os.close(descriptor)


def _closed_month(folder: str, month: str, deadline: float) -> MonthSums:
    """The sums of a month that is over, from the file of sums if it fits, else from the lines."""
    path = f"{folder}/{month}.sums"
    try:
        descriptor = files.open_file(f"{folder}/{month}.jsonl")
    except OSError:
        return MonthSums(month)
    try:
        found = os.fstat(descriptor)
        stamp = [found.st_ino, found.st_size, found.st_ctime_ns]
        try:
            known = MonthSums.from_json(month, files.read_file(path, _LARGEST_SUMS), stamp)
        except OSError:
            known = None
        if known is not None:
            return known
        read = _OpenMonth(month, found.st_ino)
        _read(descriptor, read, deadline)
    finally:
        os.close(descriptor)
    with suppress(OSError):
        # If the disk is full, it is done again the next time.
        files.replace_file(path, read.sums.to_json(stamp))
    return read.sums


def _read(descriptor: int, month: _OpenMonth, deadline: float) -> None:
    """Count the whole lines from the month's position on. Raises _TookTooLong."""
    rest, at = b"", month.position
    while at < LARGEST_MONTH and (piece := os.pread(descriptor, _PIECE, at)):
        at += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line:
                month.sums.add(line)
        month.position = at - len(rest)
        if len(rest) > LONGEST_LINE:
            # Not a line of ours: what comes of it is not read again.
            rest, month.position = rest[-1:], at
        if time.monotonic() > deadline:
            raise _TookTooLong


def _tidy(folder: str, oldest: str) -> None:
    """Raises OSError."""
    this_month, deadline, kept = _this_month(), time.monotonic() + _MOST_SECONDS, 0
    for name in sorted(os.listdir(folder), reverse=True):
        path, month = f"{folder}/{name}", name[:7]
        size = os.lstat(path).st_size
        is_wanted = _NAME.fullmatch(name) and oldest <= month <= this_month
        if not is_wanted or (kept and kept + size > _MOST_BYTES):
            files.discard(path)
            continue
        kept += size
        if name.endswith(".jsonl") and month < this_month:
            _closed_month(folder, month, deadline)


def _months(first: str, last: str) -> Iterable[str]:
    """
    >>> list(_months("2025-11", "2026-02"))
    ['2025-11', '2025-12', '2026-01', '2026-02']
    """
    year, month = int(first[:4]), int(first[5:])
    while (name := f"{year:04}-{month:02}") <= last:
        yield name
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def _this_month() -> str:
    return _day_of(time.time())[:7]


def _day_of(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))
