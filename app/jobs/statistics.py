"""The statistics of the kept jobs: how they ended, and what they cost."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.jobs.index import IndexUnusable, JobIndex
from app.jobs.index_entry import NOTHING, Amounts, Group, entry_of
from app.jobs.store import Spool
from app.records.job import Job

# Records between two pauses in which other greenlets run.
_PORTION = 20


class Statistics:
    """Sums over the jobs of a spool that have ended."""

    def __init__(self, spool: Spool, index: JobIndex) -> None:
        self._spool = spool
        self._index = index

    def sums(self, may_see: Callable[[str], bool], name_of: Callable[[str], str]) -> dict[str, Any]:
        """Jobs by status, and cost, tokens and jobs by day (UTC), model and user.

        It includes only users whose ids `may_see` accepts. `name_of` returns a user's name.

        `{"jobs": {status: n}, "days": […], "models": […], "users": […]}`, each row with its
        `day`, `model` or `user`, `jobs`, `cost_usd` and `tokens`.
        """
        seen = {group: amounts for group, amounts in self._groups().items() if may_see(group.user)}
        return {
            "jobs": dict(sorted(_by_status(seen).items())),
            "days": _rows("day", seen, lambda group: group.day),
            "models": _rows("model", seen, lambda group: group.model),
            "users": _rows("user", seen, lambda group: name_of(group.user)),
        }

    def ended(self, may_see: Callable[[str], bool]) -> Counter[str]:
        """How many jobs have ended with each status, of the users that `may_see` accepts."""
        groups = self._groups().items()
        return _by_status({group: amounts for group, amounts in groups if may_see(group.user)})

    def _groups(self) -> Mapping[Group, Amounts]:
        # First, so that a job that enters the index meanwhile is counted.
        recent = self._spool.recent()
        ended = {job_id: job for job_id, job in recent.items() if job.has_ended()}
        try:
            sums, known = self._index.sums(ended)
        except IndexUnusable:
            return _sums_of(self._spool.kept(), {})
        return _sums_of((job for job_id, job in ended.items() if job_id not in known), sums)


def _sums_of(jobs: Iterable[Job], known: Mapping[Group, Amounts]) -> Mapping[Group, Amounts]:
    """The known sums, with those of other jobs added."""
    sums = defaultdict(lambda: NOTHING, known)
    for number, job in enumerate(jobs):
        if number % _PORTION == _PORTION - 1:
            time.sleep(0)
        entry = entry_of(job)
        if entry is not None:
            sums[entry.group] = sums[entry.group].plus(entry.amounts)
    return sums


def _by_status(sums: Mapping[Group, Amounts]) -> Counter[str]:
    statuses: Counter[str] = Counter()
    for group, amounts in sums.items():
        statuses[group.status] += amounts.jobs
    return statuses


def _rows(
    name: str, seen: Mapping[Group, Amounts], key: Callable[[Group], str]
) -> list[dict[str, Any]]:
    sums: dict[str, Amounts] = defaultdict(lambda: NOTHING)
    for group, amounts in seen.items():
        sums[key(group)] = sums[key(group)].plus(amounts)
    return [{name: value, **_shown(sums[value])} for value in sorted(sums)]


def _shown(amounts: Amounts) -> dict[str, Any]:
    return {
        "jobs": amounts.jobs,
        "cost_usd": round(amounts.cost / 1e9, 6),
        "tokens": {
            "input": amounts.input,
            "output": amounts.output,
            "cache_read": amounts.cache_read,
            "cache_creation": amounts.cache_creation,
        },
    }
