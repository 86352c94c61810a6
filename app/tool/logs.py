"""`claudecode2api logs`: show what a job has said, and with --follow what it will say."""

import argparse

from app.tool import jobs
from app.tool.checkout import Checkout
from app.tool.client import Client
from app.tool.screen import Screen, note
from app.tool.stream import JobStream

#: Seconds of silence after which all that a running job has said so far is taken to be here:
#: the gateway sends what it has without a pause.
CAUGHT_UP = 1.0


def logs(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Show a job's output. With --follow returns the exit status that tells how it ended."""
    client = Client(checkout.settings(), arguments.url)
    job_id = jobs.find(client, arguments.id)
    silence = None if arguments.follow else CAUGHT_UP
    with JobStream(client, job_id, note, silence=silence) as stream:
        screen = Screen(arguments.raw)
        for event in stream:
            status = screen.show(event)
            if status is not None:
                return status if arguments.follow else 0
    note(f"the job runs on: claudecode2api logs --follow {job_id[: jobs.SHOWN]}")
    return 0
