"""`claudecode2api end`: end a run, a process of the CLI."""

import argparse
import sys

from app.tool.checkout import Checkout
from app.tool.client import Client, client_of
from app.tool.failure import Failure
from app.tool.interruption import END_PATIENCE


def end(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """End a run with the job that it serves, and wait until it has ended."""
    settings = checkout.settings()
    client = client_of(checkout, arguments.url)
    run_id = _find_run_id(client, arguments.id)
    client.ask("DELETE", f"/runs/{run_id}", patience=settings.kill_grace + END_PATIENCE)
    sys.stdout.write(f"ended run {run_id}\n")
    return 0


def _find_run_id(client: Client, beginning: str) -> str:
    """The id of the only run whose id begins with this. Raises Failure."""
    ids = [str(row["run_id"]) for row in client.ask("GET", "/runs")["runs"]]
    found = [each for each in ids if beginning and each.startswith(beginning.lower())]
    if not found:
        raise Failure(f"cannot find run {beginning!r}; see claudecode2api runs")
    if len(found) > 1:
        raise Failure(f"run id {beginning!r} is ambiguous; type more of it: {', '.join(found[:5])}")
    return found[0]
