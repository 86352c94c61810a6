"""`claudecode2api ps`: list the jobs."""

import argparse
import sys
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from app.tool.checkout import Checkout
from app.tool.client import client_of
from app.tool.find_job import SHOWN, all_jobs
from app.tool.screen import note, print_json
from app.tool.table import age, ago, cell, table

#: Jobs that --all lists.
MOST = 50

_HEAD = ("ID", "STATUS", "STARTED", "MODEL", "USER", "FOLDER", "TITLE")
#: Characters of a title that are shown.
_TITLE = 60


def ps(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """List the running jobs, or with --all the newest ones."""
    client = client_of(checkout, arguments.url)
    if arguments.all:
        rows = list(islice(all_jobs(client, MOST), MOST))
    else:
        rows = client.ask("GET", "/processes")["processes"]
    if arguments.json:
        print_json({"jobs": rows})
        return 0
    if not rows:
        note("there are no jobs" if arguments.all else "no job is running; try --all")
        return 0
    now = datetime.now(UTC)
    sys.stdout.write(table([_HEAD, *(_cells(row, now) for row in rows)]))
    return 0


def _cells(row: dict[str, Any], now: datetime) -> tuple[str, ...]:
    return tuple(
        cell(text)
        for text in (
            row["process_id"][:SHOWN],
            row.get("status", "running"),
            f"{ago(age(row['started_at'], now))} ago",
            row.get("model") or "-",
            row.get("user") or "-",
            row["cwd"],
            (row.get("title") or "-")[:_TITLE],
        )
    )
