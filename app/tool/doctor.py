"""`claudecode2api doctor`: look for what is wrong, and say what helps."""

import argparse
import json
import sys
from collections.abc import Iterator

from app.tool.check import Check, skipped
from app.tool.checkout import Checkout
from app.tool.checks import claude, gateway, installation, job, service, settings, state
from app.tool.client import Client
from app.tool.failure import FAILED
from app.tool.transcript import printable

#: The columns of a row's status and name.
_STATUS, _NAME = 9, 14


def doctor(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Show all checks, each as soon as it is known. Returns 1 if any has failed."""
    found = []
    for check in examine(checkout, arguments):
        found.append(check)
        if not arguments.json:
            sys.stdout.write(row(check))
            sys.stdout.flush()
    failures = sum(check.status == "failed" for check in found)
    if arguments.json:
        told = {"ok": not failures, "checks": [check._asdict() for check in found]}
        sys.stdout.write(f"{json.dumps(told, indent=2, ensure_ascii=False)}\n")
    else:
        ends = {0: "all is well", 1: "1 check failed"}
        sys.stdout.write(f"\n{ends.get(failures, f'{failures} checks failed')}\n")
    return FAILED if failures else 0


def examine(checkout: Checkout, arguments: argparse.Namespace) -> Iterator[Check]:
    """All checks, from the ground up."""
    yield from installation.check(checkout)
    rows, found = settings.check(checkout)
    yield from rows
    yield from service.check(checkout)
    if found is None:
        for name in ("claude", "login", "state folder", "disk", "port", "gateway", "job"):
            yield skipped(name, "the settings cannot be used")
        return
    if refused := checkout.refused_to_root():
        yield from (skipped(name, refused) for name in ("claude", "login"))
    else:
        yield from claude.check(found, checkout.gateways_environ())
    yield from state.check(found)
    client = Client(found, arguments.url)
    runs = True
    for check in gateway.check(found, client):
        runs = runs and check.status == "ok"
        yield check
    yield job.check(found, client, arguments.job) if runs else skipped("job", "nothing to run it")


def row(check: Check) -> str:
    r"""A check for people.

    >>> print(row(Check("x", "failed", "it broke", "mend it")))
    FAILED   x             it broke
                           fix: mend it
    <BLANKLINE>
    """
    status = check.status.upper() if check.status == "failed" else check.status
    line = f"{status:<{_STATUS}}{check.name:<{_NAME}}{printable(check.detail)}\n"
    return line + (f"{'':{_STATUS + _NAME}}fix: {check.fix}\n" if check.fix else "")
