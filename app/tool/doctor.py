"""`claudecode2api doctor`: find problems of the gateway, and suggest remedies."""

import argparse
import sys
from collections.abc import Iterator

from app.tool.check import Check, skipped
from app.tool.checkout import Checkout
from app.tool.checks import claude, gateway, installation, job, service, settings, state
from app.tool.client import Client
from app.tool.failure import FAILED
from app.tool.printable import printable
from app.tool.screen import print_json

#: The columns of a row's status and name.
_STATUS, _NAME = 9, 14


def doctor(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Print each check as soon as it is done. Returns 1 if any has failed."""
    found = []
    for check in examine(checkout, arguments):
        found.append(check)
        if not arguments.json:
            sys.stdout.write(row(check))
            sys.stdout.flush()
    failures = sum(check.status == "failed" for check in found)
    if arguments.json:
        report = {"ok": not failures, "checks": [check._asdict() for check in found]}
        print_json(report)
    else:
        ends = {0: "all is well", 1: "1 check failed"}
        sys.stdout.write(f"\n{ends.get(failures, f'{failures} checks failed')}\n")
    return FAILED if failures else 0


def examine(checkout: Checkout, arguments: argparse.Namespace) -> Iterator[Check]:
    """All checks; later ones need what earlier ones have checked."""
    yield from installation.check(checkout)
    rows, found = settings.check(checkout)
    yield from rows
    yield from service.check(checkout)
    if found is None:
        for name in (*claude.NAMES, "state folder", "disk", "port", "gateway", "job"):
            yield skipped(name, "the settings cannot be used")
        return
    if refused := checkout.root_refusal():
        yield from (skipped(name, refused) for name in claude.NAMES)
    else:
        yield from claude.check(found, checkout.gateway_environ())
    yield from state.check(found)
    client = Client(found, arguments.url)
    runs = True
    for check in gateway.check(found, client):
        runs = runs and check.status == "ok"
        yield check
    yield (job.check(found, client, arguments.job) if runs else skipped("job", "no gateway runs"))


def row(check: Check) -> str:
    r"""A check as text.

    >>> print(row(Check("x", "failed", "it broke", "repair it")))
    FAILED   x             it broke
                           fix: repair it
    <BLANKLINE>
    """
    status = check.status.upper() if check.status == "failed" else check.status
    line = f"{status:<{_STATUS}}{check.name:<{_NAME}}{printable(check.detail)}\n"
    return line + (f"{'':{_STATUS + _NAME}}fix: {check.fix}\n" if check.fix else "")
