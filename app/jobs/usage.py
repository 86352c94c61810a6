"""What jobs have used in a time, from the ledger of usage."""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from app.auth.users import User, Users
from app.jobs.usage_ledger import UsageLedger
from app.jobs.usage_sums import STARTS, Group, MonthSums, Starts, Use

#: What the rows of a report are about.
By = Literal["day", "model", "user"]


class Wanted(NamedTuple):
    """What a report is about: the days from `first` to `last`, such as `2026-11-26`, in UTC.

    With a `user`, the name of one, only this user's jobs.
    """

    first: str
    last: str
    by: By
    user: str | None = None


class UsageReports:
    """Reports of one state folder."""

    def __init__(self, ledger: UsageLedger, users: Users) -> None:
        self._ledger = ledger
        self._users = users

    def report(self, user: User, wanted: Wanted) -> dict[str, Any]:
        """What the jobs that this user may see have used, as `GET /usage` shows it.

        Raises DiskTooSlow.
        """
        first = max(wanted.first, self._ledger.first_day())
        name_of = functools.cache(self._users.name_of)

        def is_wanted(day: str, owner: str) -> bool:
            return (
                first <= day <= wanted.last
                and user.may_see(owner)
                and wanted.user in (None, name_of(owner))
            )

        def key_of(group: Group) -> str:
            if wanted.by == "user":
                return name_of(group.user)
            return group.day if wanted.by == "day" else group.model

        make = partial(_sum_up, is_wanted, key_of)
        shown = self._ledger.report(first, wanted.last, make)
        return {"from": wanted.first, "to": wanted.last, "by": wanted.by, **shown}


def _sum_up(
    is_wanted: Callable[[str, str], bool],
    key_of: Callable[[Group], str],
    months: Iterable[MonthSums],
) -> dict[str, Any]:
    """Runs in a native thread."""
    rows: dict[str, Use] = defaultdict(Use)
    total = Use()
    starts = {kind: Starts() for kind in STARTS}
    for month in months:
        for group, use in month.uses.items():
            if is_wanted(group.day, group.user):
                rows[key_of(group)].add(use.counts)
                total.add(use.counts)
        for start_group, found in month.starts.items():
            if start_group.start in starts and is_wanted(start_group.day, start_group.user):
                starts[start_group.start].add(found.jobs, found.first_lines)
    return {
        "rows": [{"key": key, **_shown(rows[key])} for key in sorted(rows)],
        "total": _shown(total),
        "starts": {
            kind: {"jobs": each.jobs, "first_line_ms": each.median()}
            for kind, each in starts.items()
        },
        "saved_ms": _saved(starts),
    }


def _saved(starts: Mapping[str, Starts]) -> int:
    """Milliseconds that kept runs and spares have saved.

    A kept run saves what a session that is loaded takes longer, a spare what a new one does; by the
    medians, because one slow job would outweigh many.
    """
    medians = {kind: each.median() for kind, each in starts.items()}
    saved = 0
    for kind, others in (("kept", ("resumed", "cold")), ("spare", ("cold",))):
        otherwise = next((medians[each] for each in others if medians[each] is not None), None)
        median = medians[kind]
        if median is not None and otherwise is not None:
            saved += starts[kind].jobs * max(0, otherwise - median)
    return saved


def _shown(use: Use) -> dict[str, Any]:
    jobs, failed, cost, tokens_in, tokens_out, read, created, milliseconds = use.counts
    return {
        "jobs": jobs,
        "failed": failed,
        "cost_usd": round(cost / 1e9, 6),
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "cache_read_tokens": read,
        "cache_creation_tokens": created,
        "duration_ms": milliseconds,
    }
