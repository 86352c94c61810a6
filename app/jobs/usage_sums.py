"""The sums of a month of the ledger of usage. Pure.

Jobs may write anything into the ledger, so a line counts only if each of its fields is plausible,
and then as one job.
"""

import json
import re
from collections import deque
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from app.records.usage_line import OWN

#: Bytes of the longest line.
LONGEST_LINE = 4096
#: The ways in which a job gets its process, as in `app.jobs.start_kind`.
STARTS = ("cold", "resumed", "kept", "spare")

_FAILED = ("failed", "timed_out", "lost")
_STATUSES = frozenset((*_FAILED, "succeeded", "cancelled", OWN))
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LONGEST_NAME = 200
# No job costs (in billionths of a dollar) or uses more (`app.cli.cost`).
_MOST = 10**21
_texts_of = itemgetter("id", "ended_at", "user", "model", "status")
_COUNTS = ("cost", "input", "output", "cache_read", "cache_creation", "milliseconds")
# The largest sum: more than a month has.
_MOST_OF_ALL = 10**30
_counts_of = itemgetter(*_COUNTS)
# A job that is in the ledger twice is so within this many lines.
_WINDOW = 4096
# Groups of a month: a job could write as many users as lines.
_MOST_GROUPS = 50_000
_FORMAT = 1


class Group(NamedTuple):
    """The jobs that are counted together."""

    day: str
    user: str
    model: str


class StartGroup(NamedTuple):
    """The jobs of a day and a user that got their process in the same way."""

    day: str
    user: str
    start: str


class Use:
    """What jobs used: `counts` are jobs, failed jobs, and the sums of `UsageLine`'s amounts."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = [0] * (2 + len(_COUNTS))

    def add(self, counts: list[int]) -> None:
        """Add other counts to these."""
        self.counts = [*map(int.__add__, self.counts, counts)]


class Starts:
    """How many jobs there were, and how often their first line took so many milliseconds."""

    __slots__ = ("first_lines", "jobs")

    def __init__(self) -> None:
        self.jobs = 0
        self.first_lines: dict[int, int] = {}

    def add(self, jobs: int, first_lines: Mapping[int, int]) -> None:
        """Add others to these."""
        self.jobs += jobs
        for milliseconds, count in first_lines.items():
            self.first_lines[milliseconds] = self.first_lines.get(milliseconds, 0) + count

    def median(self) -> int | None:
        """The median of the milliseconds; None without any.

        >>> starts = Starts()
        >>> starts.add(4, {10: 1, 500: 1, 700: 1})
        >>> starts.median(), Starts().median()
        (500, None)
        """
        left = (sum(self.first_lines.values()) + 1) // 2
        for milliseconds in sorted(self.first_lines):
            left -= self.first_lines[milliseconds]
            if left <= 0:
                return milliseconds
        return None


class MonthSums:
    """The sums of the lines of one month, such as `2026-11`."""

    def __init__(self, month: str) -> None:
        self.month = month
        self.uses: dict[Group, Use] = {}
        self.starts: dict[StartGroup, Starts] = {}
        self._seen: set[str] = set()
        self._last_seen: deque[str] = deque()

    def add(self, line: bytes) -> None:
        """Count a line, unless it is damaged, of another month, or there already."""
        fields = _fields_of(line)
        if fields is None or fields["ended_at"][:7] != self.month or self._has_seen(fields["id"]):
            return
        day, status = fields["ended_at"][:10], fields["status"]
        group = Group(day, fields["user"], fields["model"])
        use = self.uses.get(group)
        if use is None:
            if len(self.uses) >= _MOST_GROUPS:
                return
            use = self.uses[group] = Use()
        is_job = status != OWN
        use.add([int(is_job), int(status in _FAILED), *_counts_of(fields)])
        start = fields.get("start")
        if is_job and start in STARTS:
            starts = self.starts.setdefault(StartGroup(day, group.user, start), Starts())
            first_line = fields.get("first_line")
            starts.add(1, {} if first_line is None else {_rounded(first_line): 1})

    def _has_seen(self, line_id: str) -> bool:
        if line_id in self._seen:
            return True
        self._seen.add(line_id)
        self._last_seen.append(line_id)
        if len(self._last_seen) > _WINDOW:
            self._seen.discard(self._last_seen.popleft())
        return False

    def to_json(self, stamp: list[int]) -> bytes:
        """The sums as a file; `stamp` is of the file that they are made from."""
        uses = [[*group, *use.counts] for group, use in self.uses.items()]
        starts = [
            [*group, each.jobs, list(each.first_lines.items())]
            for group, each in self.starts.items()
        ]
        fields = {"format": _FORMAT, "stamp": stamp, "uses": uses, "starts": starts}
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, month: str, content: bytes, stamp: list[int]) -> "MonthSums | None":
        """The sums of such a file; None if it is damaged, or made from another file."""
        sums = cls(month)
        try:
            fields = json.loads(content)
            if (fields["format"], fields["stamp"]) != (_FORMAT, stamp):
                return None
            for day, user, model, *counts in fields["uses"]:
                use = sums.uses[Group(*map(_text, (day, user, model)))] = Use()
                if len(counts) != len(use.counts):
                    return None
                use.add([_count(each) for each in counts])
            for day, user, start, jobs, first_lines in fields["starts"]:
                made = sums.starts[StartGroup(*map(_text, (day, user, start)))] = Starts()
                made.add(_count(jobs), {_count(key): _count(n) for key, n in first_lines})
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return sums


def _fields_of(line: bytes) -> dict[str, Any] | None:
    """The fields of a line; None if it is damaged.

    >>> _fields_of(b"[]"), _fields_of(b'{"id":1e999}'), _fields_of(b"{" * 5000)
    (None, None, None)
    """
    if len(line) > LONGEST_LINE:
        return None
    try:
        fields: Any = json.loads(line)
        texts, counts = _texts_of(fields), (*_counts_of(fields), fields.get("first_line", 0))
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    # In this order, because each line of a month is looked at.
    is_plausible = (
        {*map(type, texts)} == {str}
        and {*map(type, counts)} == {int}
        and min(counts) >= 0
        and max(counts) <= _MOST
        and max(map(len, texts)) <= _LONGEST_NAME
        and fields["status"] in _STATUSES
        and isinstance(fields.get("start", ""), str)
        and _DAY.match(fields["ended_at"])
    )
    return fields if is_plausible else None


def _count(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MOST_OF_ALL:
        raise ValueError(value)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _rounded(milliseconds: int) -> int:
    """To two digits: a month then has few different values.

    >>> [_rounded(each) for each in (0, 99, 512, 1268)]
    [0, 99, 510, 1300]
    """
    return round(milliseconds, min(0, 2 - len(str(milliseconds))))
