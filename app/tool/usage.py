"""`claudecode2api usage`: show what jobs have used."""

import argparse
import sys
from typing import Any

from app.tool.checkout import Checkout
from app.tool.client import client_of
from app.tool.screen import note, print_json
from app.tool.table import cell, table

_HEAD = ("JOBS", "FAILED", "COST", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE", "TIME")
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


def usage(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Show what jobs have used, by day, model or user, with the sum."""
    client = client_of(checkout, arguments.url)
    query = {"from": arguments.from_, "to": arguments.to, "by": arguments.by}
    query["user"] = arguments.user
    given = {name: value for name, value in query.items() if value is not None}
    report = client.ask("GET", "/usage", params=given)
    if arguments.json:
        print_json(report)
        return 0
    period = f"from {report['from']} to {report['to']}"
    if not report["rows"]:
        note(f"no job has ended {period}")
        return 0
    rows = [(cell(row["key"] or "-"), *_cells(row)) for row in report["rows"]]
    rows.append(("TOTAL", *_cells(report["total"])))
    sys.stdout.write(table([(arguments.by.upper(), *_HEAD), *rows]))
    saved = report["saved_ms"]
    if saved:
        note(f"kept processes and spares have saved {_duration(saved)} {period}")
    return 0


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    counts = (str(row["jobs"]), str(row["failed"]), f"${row['cost_usd']:.2f}")
    return (*counts, *(str(row[name]) for name in _TOKENS), _duration(row["duration_ms"]))


def _duration(milliseconds: float) -> str:
    """
    >>> _duration(1500), _duration(3_725_000)
    ('0:00:02', '1:02:05')
    """
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
