"""Transcripts of sessions, as the CLI writes them."""

import json
import os
import re
from pathlib import Path
from typing import Any
from uuid import uuid4


def line(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}) + "\n"


def prompt(text: object, cwd: object = "/", **fields: Any) -> str:
    """A user's message."""
    message = {"role": "user", "content": text}
    return line("user", uuid=str(uuid4()), cwd=str(cwd), message=message, **fields)


def write_transcript(
    home: Path, cwd: object, session: str, *lines: str, changed: float | None = None
) -> Path:
    """The transcript of a session; `changed` is in seconds since the epoch."""
    folder = home / ".claude/projects" / re.sub(r"[^A-Za-z0-9]", "-", os.path.realpath(str(cwd)))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{session}.jsonl"
    file.write_text("".join(lines), encoding="utf-8")
    if changed is not None:
        os.utime(file, (changed, changed))
    return file
