"""`claudecode2api doctor`: find problems of the gateway, and suggest remedies."""

import argparse
import sys
from collections.abc import Iterator

from app.settings import Settings
from app.tool import running_gateway
from app.tool.check import Check, skipped
from app.tool.checkout import Checkout
from app.tool.checks import claude, gateway, installation, job, service, settings, state
from app.tool.client import Client
from app.tool.failure import FAILED
from app.tool.local_users import own_name
from app.tool.printable import printable
from app.tool.remedies import Remedies
from app.tool.running_gateway import RunningGateway
from app.tool.screen import print_json

#: The columns of a row's status and name.
_STATUS, _NAME = 9, 14


def doctor(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Print each check as soon as it is done. Returns 1 if any has failed."""
    found = []
    for check in examine(checkout, arguments.url, asks_the_model=arguments.job):
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


def examine(
    checkout: Checkout, url: str | None, runs_job: bool = True, asks_the_model: bool = False
) -> Iterator[Check]:
    """All checks; later ones need what earlier ones have checked.

    `url` is the gateway's, if not that of its settings. Without `runs_job`, no job is started.
    """
    yield from installation.check(checkout)
    rows, found = settings.check(checkout)
    yield from rows
    yield from service.check(checkout)
    if found is None:
        names = [*claude.NAMES, "state folder", "disk", "port", "gateway"]
        for name in [*names, "job"] if runs_job else names:
            yield skipped(name, "the settings cannot be used")
        return
    remedies = Remedies(checkout)
    client = Client(found, url, remedies)
    running = running_gateway.ask(client)
    yield from _check_claude(checkout, found, running, is_here=url is None)
    yield from state.check(found)
    runs = True
    for check in gateway.check(found, client, remedies):
        runs = runs and check.status != "failed" and check.status != "skipped"
        yield check
    if not runs_job:
        return
    if runs:
        path = running.claude_path if running else None
        yield job.JobCheck(found, client, remedies, path, asks_the_model).run()
    else:
        yield skipped("job", "no gateway runs")


def _check_claude(
    checkout: Checkout, found: Settings, running: RunningGateway | None, is_here: bool
) -> Iterator[Check]:
    """The CLI of the gateway that runs; where none does, the one that it would find here."""
    refused = checkout.root_refusal()
    is_same_user = not refused and checkout.gateway_user() == own_name()
    if running is None and refused:
        yield from (skipped(name, refused) for name in claude.NAMES)
    elif running is None:
        yield from claude.OwnClaude(checkout, found).check()
    else:
        own = claude.OwnClaude(checkout, found) if is_here and is_same_user else None
        yield from claude.check_running(Remedies(checkout), running, own)
        if own:
            yield from own.check_root()
            yield from own.compare(running)


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
