"""What the jobs that are kept cost and how they went, summed up from their records."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from app.jobs.store import Spool
from app.metrics import cost_in, tokens_in
from app.records.job import Job

# Records are read in portions, and others are served in between.
_PORTION = 50


class _Summary(NamedTuple):
    """What one ended job adds."""

    status: str
    day: str
    model: str
    user: str
    cost: float
    tokens: dict[str, int]


class Statistics:
    """Sums over the jobs of a spool; a job that has ended is read once by each process."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._known: dict[str, _Summary] = {}

    def sums(self, may_see: Callable[[str], bool], name_of: Callable[[str], str]) -> dict[str, Any]:
        """Jobs by status, and cost, tokens and jobs by day (UTC), model and user.

        Of the users alone whose ids are such as one `may_see`, by their names.

        `{"jobs": {status: n}, "days": […], "models": […], "users": […]}`, each row with its
        `day`, `model` or `user`, `jobs`, `cost_usd` and `tokens`.
        """
        self._read()
        seen = [
            summary._replace(user=name_of(summary.user))
            for summary in self._known.values()
            if may_see(summary.user)
        ]
        statuses = Counter(summary.status for summary in seen)
        return {
            "jobs": dict(sorted(statuses.items())),
            "days": _rows(seen, "day"),
            "models": _rows(seen, "model"),
            "users": _rows(seen, "user"),
        }

    def _read(self) -> None:
        ids = [job.id for job in self._spool.newest(None)]
        known = {}
        for number, job_id in enumerate(ids):
            summary = self._known.get(job_id)
            if summary is None:
                if number % _PORTION == 0:
                    time.sleep(0)
                summary = _summarize(Job(self._spool.state, job_id))
            if summary is not None:
                known[job_id] = summary
        self._known = known


def _summarize(job: Job) -> _Summary | None:
    request, ended = job.request(), job.end()
    if request is None or ended is None:
        return None
    said = ended.result or {}
    return _Summary(
        status=ended.status,
        day=ended.ended_at.partition("T")[0],
        model=request.model or "",
        user=request.user,
        cost=cost_in(said),
        tokens=tokens_in(said),
    )


def _rows(seen: Iterable[_Summary], name: str) -> list[dict[str, Any]]:
    groups: dict[str, list[_Summary]] = defaultdict(list)
    for summary in seen:
        groups[getattr(summary, name)].append(summary)
    return [_row(name, value, groups[value]) for value in sorted(groups)]


def _row(name: str, value: str, summaries: list[_Summary]) -> dict[str, Any]:
    tokens: Counter[str] = Counter()
    for summary in summaries:
        tokens.update(summary.tokens)
    return {
        name: value,
        "jobs": len(summaries),
        "cost_usd": round(sum(summary.cost for summary in summaries), 6),
        "tokens": dict(tokens),
    }
