"""A session that is open in a terminal, as the CLI notes it (2.1.330)."""

import json
import os
from pathlib import Path
from typing import Any

from app import processes


def open_in_terminal(home: Path, session: str, **changed: Any) -> Path:
    """Note a session as open in this process; returns the file, with the fields `changed`."""
    process = processes.identify(os.getpid())
    assert process is not None
    fields = {
        "pid": process.pid,
        "sessionId": session,
        "cwd": "/",
        "procStart": str(process.started),
        "version": "2.1.330",
        "kind": "interactive",
        "entrypoint": "cli",
        **changed,
    }
    file = home / f".claude/sessions/{process.pid}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(fields), encoding="ascii")
    return file
