"""`claudecode2api runs`: list the runs, the processes of the CLI."""

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

from app.tool.checkout import Checkout
from app.tool.client import client_of
from app.tool.find_job import SHOWN
from app.tool.screen import note, print_json
from app.tool.table import age, ago, cell, table

_HEAD = ("RUN", "STATE", "IDLE", "JOBS", "MEMORY", "MODEL", "USER", "SESSION", "FOLDER")


def runs(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """List the runs: those that serve a job, are kept for the next one, or are spare."""
    client = client_of(checkout, arguments.url)
    rows = client.ask("GET", "/runs")["runs"]
    if arguments.json:
        print_json({"runs": rows})
    elif rows:
        now = datetime.now(UTC)
        sys.stdout.write(table([_HEAD, *(_cells(row, now) for row in rows)]))
    else:
        note("there are no runs")
    return 0


def _cells(row: dict[str, Any], now: datetime) -> tuple[str, ...]:
    memory = row.get("memory_bytes")
    return tuple(
        cell(text)
        for text in (
            str(row["run_id"])[:SHOWN],
            row["state"],
            ago(age(row["idle_since"], now)) if row.get("idle_since") else "-",
            str(row.get("jobs", "-")),
            "-" if memory is None else f"{memory / 1e6:.0f} MB",
            row.get("model") or "-",
            row.get("user") or "-",
            row.get("session_id") or "-",
            row.get("cwd") or "-",
        )
    )
