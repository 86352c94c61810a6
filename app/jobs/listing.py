"""The list of jobs, the newest first, whether they run or have ended."""

from collections.abc import Iterator
from heapq import merge

from app.jobs.index import IndexUnusable, JobIndex
from app.jobs.index_tables import Filter
from app.jobs.store import Position, Spool, position_of
from app.records.job import Job

# Positions that are read from the index at once.
_PAGE = 50
#: States of jobs that have not ended.
_UNENDED = ("queued", "running")


def newest(spool: Spool, index: JobIndex, wanted: Filter, before: Position | None) -> Iterator[Job]:
    """The jobs that may fit a filter, the newest first; with `before`, only older ones.

    The caller checks each of them by its records: some may not fit.
    """
    last = before
    try:
        for position in _positions(spool, index, wanted, before):
            last = position
            yield Job(spool.state, position.id)
    except IndexUnusable:
        yield from spool.newest(last)


def _positions(
    spool: Spool, index: JobIndex, wanted: Filter, before: Position | None
) -> Iterator[Position]:
    # First, so that a job that enters the index meanwhile is found.
    recent = spool.recent()
    found = sorted(filter(None, map(position_of, recent.values())), reverse=True)
    newer = (each for each in found if before is None or each < before)
    ended = tuple(each for each in wanted.statuses if each not in _UNENDED)
    if wanted.statuses and not ended:
        yield from newer
        return
    older = _indexed(index, wanted._replace(statuses=ended), before)
    yield from merge(newer, (each for each in older if each.id not in recent), reverse=True)


def _indexed(index: JobIndex, wanted: Filter, before: Position | None) -> Iterator[Position]:
    while True:
        page = index.newest(wanted, before, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        before = page[-1]
