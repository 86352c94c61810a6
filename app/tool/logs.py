"""`claudecode2api logs`: show the output of a job."""

import argparse

from app.tool.checkout import Checkout
from app.tool.client import Client
from app.tool.find_job import SHOWN, find_job_id
from app.tool.screen import Screen, Shown
from app.tool.stream import JobStream

#: Seconds of silence after which all output of a running job so far has arrived: the gateway
#: sends it without a pause.
CAUGHT_UP = 1.0


def logs(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Show a job's output. With --follow, returns the exit status for the job's end."""
    client = Client(checkout.settings(), arguments.url)
    job_id = find_job_id(client, arguments.id)
    silence = None if arguments.follow else CAUGHT_UP
    screen = Screen(Shown.LINES if arguments.raw else Shown.TEXT)
    with JobStream(client, job_id, screen.note, silence=silence) as stream:
        for event in stream:
            status = screen.show(event)
            if status is not None:
                return status if arguments.follow else 0
    screen.note(f"the job is still running: claudecode2api logs --follow {job_id[:SHOWN]}")
    return 0
