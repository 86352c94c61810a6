"""Finding a job by the beginning of its id."""

from collections.abc import Iterator
from typing import Any

from app.tool.client import Client
from app.tool.failure import Failure

#: Characters of an id that are shown: enough to distinguish jobs.
SHOWN = 8
_PAGE = 200
_WHOLE = 36


def all_jobs(client: Client, page: int = _PAGE) -> Iterator[dict[str, Any]]:
    """The records of all jobs, the newest first."""
    params = {"limit": str(page)}
    while True:
        rows = client.ask("GET", "/jobs", params=params)["jobs"]
        yield from rows
        if len(rows) < page:
            return
        params["before"] = rows[-1]["process_id"]


def find_job_id(client: Client, beginning: str) -> str:
    """The id of the only job whose id begins with this. Raises Failure."""
    wanted = beginning.lower()
    if not wanted or not set(wanted) <= set("0123456789abcdef-"):
        raise Failure(f"cannot find job {beginning!r}: this is no id; see claudecode2api ps --all")
    if len(wanted) == _WHOLE:
        return wanted
    found = [
        str(row["process_id"])
        for row in all_jobs(client)
        if str(row["process_id"]).startswith(wanted)
    ]
    if not found:
        raise Failure(f"cannot find job {beginning!r}; see claudecode2api ps --all")
    if len(found) > 1:
        raise Failure(f"job id {beginning!r} is ambiguous; type more of it: {', '.join(found[:5])}")
    return found[0]
