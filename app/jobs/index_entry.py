"""The entry of an ended job in the index of jobs."""

from typing import NamedTuple

from app.cli.cost import cost_in, tokens_in
from app.jobs.job_json import seconds_between
from app.jobs.store import Position, position_of
from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest

_LARGEST = (1 << 63) - 1


class Amounts(NamedTuple):
    """What jobs used. `cost` is in billionths of a US dollar: sums of integers are exact."""

    jobs: int
    cost: int
    input: int
    output: int
    cache_read: int
    cache_creation: int
    milliseconds: int

    def plus(self, other: "Amounts", sign: int = 1) -> "Amounts":
        """The sum, or the difference with a `sign` of -1; never negative."""
        pairs = zip(self, other, strict=True)
        return Amounts(*(min(max(0, mine + sign * its), _LARGEST) for mine, its in pairs))


NOTHING = Amounts(0, 0, 0, 0, 0, 0, 0)


class Group(NamedTuple):
    """The jobs that are counted together."""

    day: str
    user: str
    model: str
    status: str


class Entry(NamedTuple):
    """What the index has of a job that has ended. `ended` is in seconds since the epoch."""

    position: Position
    ended: float
    session: str | None
    cwd: str
    title: str | None
    group: Group
    amounts: Amounts


class SessionTotals(NamedTuple):
    """What the ended jobs of a session used. `cost` is in billionths of a US dollar.

    `last` is when the latest of them ended, in seconds since the epoch; `cwd` and `title` are those
    of that job.
    """

    session: str
    last: float
    cost: float
    jobs: int
    cwd: str
    title: str | None


def entry_of(
    job: Job, request: JobRequest | None = None, end: JobEnd | None = None
) -> Entry | None:
    """The entry of a job; None if it has not ended, or if its records cannot be read.

    `request` and `end` are its records, if the caller has read them.
    """
    request, end = request or job.request(), end or job.end()
    position = position_of(job)
    if request is None or end is None or position is None:
        return None
    result = end.result or {}
    amounts = Amounts(
        jobs=1,
        cost=min(round(cost_in(result) * 1e9), _LARGEST),
        milliseconds=round(max(0.0, seconds_between(request.started_at, end.ended_at)) * 1000),
        **tokens_in(result),
    )
    return Entry(
        position=position,
        ended=job.end_time(),
        session=end.session_id or request.session_id,
        cwd=request.cwd,
        title=request.title,
        group=Group(end.ended_at.partition("T")[0], request.user, request.model or "", end.status),
        amounts=amounts,
    )
