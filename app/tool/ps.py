"""`claudecode2api ps`: list the jobs."""

import argparse
import sys
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from app.tool.checkout import Checkout
from app.tool.client import Client
from app.tool.find_job import SHOWN, all_jobs
from app.tool.screen import note, printable

#: Jobs that --all lists.
MOST = 50

_HEAD = ("ID", "STATUS", "STARTED", "MODEL", "USER", "FOLDER", "TITLE")
#: Characters of a title that are shown.
_TITLE = 60


def ps(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """List the running jobs, or with --all the newest ones."""
    client = Client(checkout.settings(), arguments.url)
    if arguments.all:
        rows = list(islice(all_jobs(client, MOST), MOST))
    else:
        rows = client.ask("GET", "/processes")["processes"]
    if not rows:
        note("there are no jobs" if arguments.all else "no job is running; try --all")
        return 0
    now = datetime.now(UTC)
    sys.stdout.write(table([_HEAD, *(_cells(row, now) for row in rows)]))
    return 0


def table(rows: list[tuple[str, ...]]) -> str:
    r"""Rows as text, their columns aligned.

    >>> table([("ID", "X"), ("a", "b"), ("long", "c")])
    'ID    X\na     b\nlong  c\n'
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _cells(row: dict[str, Any], now: datetime) -> tuple[str, ...]:
    started = datetime.fromisoformat(row["started_at"])
    return tuple(
        # The name of a folder and a title may contain any character, even a newline.
        printable(cell).replace("\n", "\N{REPLACEMENT CHARACTER}")
        for cell in (
            row["process_id"][:SHOWN],
            row.get("status", "running"),
            f"{ago((now - started).total_seconds())} ago",
            row.get("model") or "-",
            row.get("user") or "-",
            row["cwd"],
            (row.get("title") or "-")[:_TITLE],
        )
    )


def ago(seconds: float) -> str:
    """A duration in its largest unit.

    >>> ago(59.9), ago(60), ago(7200), ago(172800)
    ('59 s', '1 min', '2 h', '2 d')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(max(seconds, 0))} s"
