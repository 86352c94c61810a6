"""`claudecode2api cancel`: end a job with all that it started."""

import argparse
import sys

from app.tool import jobs
from app.tool.checkout import Checkout
from app.tool.client import Client
from app.tool.failure import Failure, Refused
from app.tool.run import END_PATIENCE


def cancel(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Cancel a job, and wait until nothing of it is left."""
    settings = checkout.settings()
    client = Client(settings, arguments.url)
    job_id = jobs.find(client, arguments.id)
    try:
        told = client.ask("DELETE", f"/chat/{job_id}", patience=settings.kill_grace + END_PATIENCE)
    except Refused as error:
        if error.code != "process_not_found":
            raise
        status = client.ask("GET", f"/jobs/{job_id}")["status"]
        raise Failure(f"cannot cancel job {job_id}: it has ended already ({status})") from None
    killed = told.get("killed") or 0
    how = f" with {told['signal']}" if told.get("signal") else ""
    processes = "1 process was" if killed == 1 else f"{killed} processes were"
    sys.stdout.write(f"cancelled job {job_id}: {processes} ended{how}\n")
    return 0
