"""What clients asked of a job: the prompt with its fields, and the messages sent meanwhile.

All of it is in the job's folder, where the job can change it.
"""

import json
import os
from collections.abc import Callable
from typing import Any

from app.errors import InvalidRequest
from app.jobs.job_json import message_states
from app.json_body import read_json
from app.records import sent_fields
from app.records.inbox import Inbox
from app.records.job import Job
from app.records.job_records import JobRequest
from app.state.files import read_at
from app.text import shortened, well_formed
from app.timestamps import at

#: Bytes of the longest prompt that is given back whole, and of all messages together.
LONGEST = 8 << 20
#: Bytes of a longer prompt that are given back.
BEGINNING = 1 << 16

# In a line that `app.cli.control.message` has made.
_CONTENT = b'"content": "'
# The longest escape of JSON: a surrogate pair.
_LONGEST_ESCAPE = 12


def render_asked(job: Job, request: JobRequest, name_of: Callable[[str], str]) -> dict[str, Any]:
    """What clients asked of a job, as `GET /jobs/{process_id}/request` shows it.

    `name_of` returns the name of a user's id.
    """
    prompt, is_cut = _prompt(job)
    fields, left_out = sent_fields.read(job.path) or (_known_fields(request), [])
    return {
        "process_id": job.id,
        "prompt": prompt,
        "prompt_is_cut": is_cut,
        "fields": {"cwd": request.cwd, **fields},
        "left_out": left_out,
        "messages": _messages(job, name_of),
    }


def _known_fields(request: JobRequest) -> dict[str, Any]:
    """The fields that the job's record has, if there were no others."""
    found = {"model": request.model, "session_id": request.session_id}
    return {name: value for name, value in found.items() if value is not None}


def _prompt(job: Job) -> tuple[str | list[Any] | None, bool]:
    """The prompt, a text or blocks, and whether it is cut; None if it is not kept."""
    try:
        line = read_at(job.message, LONGEST + 1, 0)
    except OSError:
        # The job's end took its room on a full disk, or it was never there.
        return None, False
    if len(line) > LONGEST:
        return _beginning(line[:BEGINNING]), True
    return _content(line), False


def _content(line: bytes) -> str | list[Any] | None:
    try:
        found = read_json(line) if line else None
    except InvalidRequest:
        return None
    message = found.get("message") if isinstance(found, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str | list) else None


def _beginning(line: bytes) -> str | None:
    r"""The text at the beginning of a line that is cut off; None if it has blocks.

    >>> _beginning(b'{"message": {"content": "caf\\u00')
    'caf'
    """
    head, found, text = line.partition(_CONTENT)
    if not found or len(head) > len(_CONTENT) * 10:
        return None
    # The last escape may be cut off.
    for end in range(len(text), max(-1, len(text) - _LONGEST_ESCAPE - 1), -1):
        try:
            return well_formed(str(json.loads(b'"%b"' % text[:end])))
        except ValueError:
            continue
    return None


def _messages(job: Job, name_of: Callable[[str], str]) -> list[dict[str, Any]]:
    """The messages that were sent to the job while it ran, the oldest first."""
    inbox = Inbox(job.path)
    left = LONGEST
    rows = []
    for message_id, state in message_states(job, job.end()).items():
        written = inbox.status_of("message", message_id)
        fields = None
        if written is not None and written.st_size <= left:
            left -= written.st_size
            fields = inbox.read("message", message_id)
        rows.append(_message(message_id, state, fields or {}, written, name_of))
    return rows


def _message(
    message_id: str,
    state: str,
    fields: dict[str, Any],
    written: os.stat_result | None,
    name_of: Callable[[str], str],
) -> dict[str, Any]:
    content, user = fields.get("content"), fields.get("user")
    row: dict[str, Any] = {
        "message_id": message_id,
        "state": state,
        "sent_at": _time_of(written),
        "user": name_of(shortened(user)) if isinstance(user, str) else None,
    }
    if isinstance(content, list):
        row["content"] = content
    else:
        row["text"] = content if isinstance(content, str) else None
    return row


def _time_of(written: os.stat_result | None) -> str | None:
    try:
        return None if written is None else at(written.st_mtime)
    except (ValueError, OverflowError, OSError):
        # A job can set any time.
        return None
