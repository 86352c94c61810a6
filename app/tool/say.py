"""`claudecode2api say`: send a message to a job that runs."""

import argparse
import sys

from app.tool.checkout import Checkout
from app.tool.client import client_of
from app.tool.failure import MISUSED, Failure
from app.tool.find_job import find_job_id
from app.tool.text_argument import text_of


def say(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Send a message to a job; the model gets it after the tool that it uses now."""
    client = client_of(checkout, arguments.url)
    text = text_of(arguments.text)
    if not text.strip():
        raise Failure('cannot send an empty message: claudecode2api say ID "…"', MISUSED)
    job_id = find_job_id(client, arguments.id)
    sent = client.ask("POST", f"/jobs/{job_id}/messages", json={"text": text})
    sys.stdout.write(f"sent message {sent['message_id']} to job {job_id}\n")
    return 0
