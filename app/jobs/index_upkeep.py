"""The upkeep of the index of jobs, which adds each end and replaces an unusable index.

Each worker adds the ends that it logs, a few at a time. One worker, the keeper
(`app.jobs.keeper`), compares the index with the folders: at its start, every hour, and to fill a
new index.
"""

import logging
import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from app.jobs.index import IndexUnusable, JobIndex
from app.jobs.index_entry import Entry, entry_of
from app.jobs.store import Spool
from app.records.job import Job
from app.state.files import discard

log = logging.getLogger(__name__)

# Ends that are written at once, and the most that are kept while none can be written.
_MOST_AT_ONCE = 200
_MOST_NOTED = 2000
# Jobs between two pauses, and ids that are looked up at once.
_PORTION = 10
_LOOKED_UP = 200
#: Seconds between two comparisons with the folders, and between two looks at the index.
_COMPARE_EVERY = 3600.0
_LOOK_EVERY = 1.0
# Seconds after which the worker that should have added a job has probably died.
_LEFT_AFTER = 5.0
# Seconds from one new index to the next, if jobs damage them again and again.
_SHORTEST_WAIT = 1.0
_LONGEST_WAIT = 300.0


class IndexUpkeep:
    """Writes the index of a spool; one such object in each worker."""

    def __init__(self, spool: Spool, index: JobIndex) -> None:
        self._spool = spool
        self._index = index
        self._noted: list[Entry] = []
        self._work: Iterator[bool] | None = None
        self._compare_at = 0.0
        self._wait = _SHORTEST_WAIT
        self._not_before = 0.0

    def note(self, entry: Entry) -> None:
        """Remember a job whose end was logged just now; `write_noted` adds it to the index."""
        if len(self._noted) < _MOST_NOTED:
            self._noted.append(entry)

    def write_noted(self) -> None:
        """Add the jobs that were noted. Those that cannot be added stay in `unindexed/`."""
        noted, self._noted = self._noted, []
        for start in range(0, len(noted), _MOST_AT_ONCE):
            entries = noted[start : start + _MOST_AT_ONCE]
            try:
                self._index.add(entries)
            except IndexUnusable as error:
                log.debug("ends of jobs are not in the index yet: %s", error)
                return
            for entry in entries:
                discard(Job(self._spool.state, entry.position.id).links.unindexed)

    def step(self) -> bool:
        """Do a small piece of the keeper's work; returns whether there is more to do now."""
        if self._work is None:
            self._work = self._keep()
        try:
            return next(self._work)
        except (IndexUnusable, OSError) as error:
            # The next step begins again.
            log.debug("the index cannot be kept now: %s", error)
            self._work = None
            return False

    def _keep(self) -> Iterator[bool]:
        """The keeper's endless work, in pieces; yields False when there is nothing to do now."""
        while True:
            is_complete = self._is_complete()
            if is_complete is None and time.monotonic() < self._not_before:
                yield False
                continue
            if is_complete is None:
                self._start_anew()
            if not is_complete or time.monotonic() >= self._compare_at:
                started = time.monotonic()
                for _ in self._compare():
                    yield True
                self._index.finish()
                self._compare_at = time.monotonic() + _COMPARE_EVERY
                if not is_complete:
                    log.info(
                        "the index of jobs is complete after %.1f s", time.monotonic() - started
                    )
            for _ in self._add_left():
                yield True
            until = time.monotonic() + _LOOK_EVERY
            while time.monotonic() < until:
                yield False

    def _is_complete(self) -> bool | None:
        """Whether the index has all jobs; None if it cannot be used."""
        try:
            return self._index.check()
        except IndexUnusable:
            return None

    def _start_anew(self) -> None:
        log.info("a new index of jobs is made")
        now = time.monotonic()
        if now - self._not_before > _COMPARE_EVERY:
            self._wait = _SHORTEST_WAIT
        self._not_before = now + self._wait
        self._wait = min(self._wait * 2, _LONGEST_WAIT)
        self._index.start_anew()

    def _compare(self) -> Iterator[None]:
        """Add the jobs that are missing, and remove those that are no longer kept."""
        jobs = self._spool.kept()
        while some := {job.id: job for job in islice(jobs, _LOOKED_UP)}:
            yield from self._add(some[job_id] for job_id in self._index.unknown(some))
        number = 0
        while page := self._index.page(number, _LOOKED_UP):
            number = page[-1][0]
            gone = [job_id for _, job_id in page if not Job(self._spool.state, job_id).exists()]
            if gone:
                self._index.remove(gone)
            yield

    def _add_left(self) -> Iterator[None]:
        """Add the jobs that no worker has added, for example because it died."""
        for number, job in enumerate(self._spool.unindexed()):
            if number % _PORTION == _PORTION - 1:
                yield
            if _age(job.links.unindexed) < _LEFT_AFTER:
                continue
            entry = entry_of(job)
            if entry is not None:
                self._index.add([entry])
            elif job.exists() and job.request() is not None:
                # Its end is damaged: it stays here until it is closed.
                continue
            discard(job.links.unindexed)

    def _add(self, jobs: Iterable[Job]) -> Iterator[None]:
        entries: list[Entry] = []
        for number, job in enumerate(jobs):
            if number % _PORTION == _PORTION - 1:
                yield
            entry = entry_of(job)
            if entry is not None:
                entries.append(entry)
        if entries:
            self._index.add(entries)
        yield


def _age(path: str) -> float:
    """Seconds since a link was made; 0 if there is none."""
    try:
        return time.time() - os.lstat(path).st_ctime
    except OSError:
        return 0.0
