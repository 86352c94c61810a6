"""The session that `claudecode2api run --continue` goes on with."""

import os

from app.tool.client import Client
from app.tool.failure import Failure
from app.tool.find_job import all_jobs


def latest_session(client: Client, folder: str) -> str:
    """The session of the user's latest job in this folder that has one. Raises Failure."""
    for job in all_jobs(client):
        if (
            job["user"] == client.user
            and job.get("session_id")
            and os.path.realpath(job["cwd"]) == os.path.realpath(folder)
        ):
            return str(job["session_id"])
    raise Failure(
        f"cannot continue: {client.user} has no session in {folder}; leave out --continue, or name"
        " one with --session"
    )
