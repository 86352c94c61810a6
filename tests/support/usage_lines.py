"""Lines of the ledger of usage, made without jobs."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4


def usage_line(day: str, **fields: Any) -> bytes:
    """The line of a job that ended on this day at noon, as the gateway writes it."""
    line = {
        "id": str(uuid4()),
        "ended_at": f"{day}T12:00:00.000Z",
        "user": "admin",
        "model": "sonnet",
        "status": "succeeded",
        "cost": 1_000_000,
        "input": 3,
        "output": 5,
        "cache_read": 7,
        "cache_creation": 11,
        "milliseconds": 2000,
        **fields,
    }
    return json.dumps(line).encode() + b"\n"


def write_lines(state: Path | str, month: str, *lines: bytes) -> Path:
    """Add these lines to a month of the ledger; returns its file."""
    folder = Path(state, "usage")
    folder.mkdir(exist_ok=True)
    path = folder / f"{month}.jsonl"
    with path.open("ab") as file:
        file.write(b"".join(lines))
    return path
