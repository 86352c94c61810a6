"""`claudecode2api cancel`: cancel a job."""

import argparse
import sys

from app.tool.checkout import Checkout
from app.tool.client import client_of
from app.tool.failure import Failure, RequestRefused
from app.tool.find_job import find_job_id
from app.tool.interruption import END_PATIENCE


def cancel(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Cancel a job, and wait until all its processes have ended."""
    settings = checkout.settings()
    client = client_of(checkout, arguments.url)
    job_id = find_job_id(client, arguments.id)
    try:
        patience = settings.kill_grace + END_PATIENCE
        end = client.ask("DELETE", f"/chat/{job_id}", patience=patience)
    except RequestRefused as error:
        if error.code != "process_not_found":
            raise
        status = client.ask("GET", f"/jobs/{job_id}")["status"]
        raise Failure(f"cannot cancel job {job_id}: it has ended already ({status})") from None
    killed = end.get("killed") or 0
    how = f" with {end['signal']}" if end.get("signal") else ""
    processes = "1 process was" if killed == 1 else f"{killed} processes were"
    sys.stdout.write(f"cancelled job {job_id}: {processes} ended{how}\n")
    return 0
