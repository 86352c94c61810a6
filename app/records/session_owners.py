"""Whose each session of the CLI is: `STATE_DIR/sessions/<id>`, with the id of its user.

A session belongs to the user whose job began it. One that no job began was begun in a terminal. The
records of `app.conversation.conversations` have the user, too, also those of 1.0.

Standard library alone, because the supervisor imports this.
"""

import os
import re
from contextlib import suppress

from app.state.old_files import remove_old_files
from app.state.record_file import read_record, write_record

#: The folder in STATE_DIR.
FOLDER = "sessions"
#: Seconds after the last job on a session until it is forgotten whose it is.
KEPT = 90 * 86_400.0

_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def owner_of(state: str, session_id: str) -> str | None:
    """The user who began a session, or None if that is not known."""
    if not _ID.fullmatch(session_id):
        return None
    for folder in (FOLDER, "conversations"):
        owner = (read_record(f"{state}/{folder}/{session_id}") or {}).get("user")
        if isinstance(owner, str):
            return owner
    return None


def note(state: str, session_id: str, user: str) -> str:
    """Note whose a session is, unless that is known; returns its owner. Raises OSError."""
    owner = owner_of(state, session_id)
    path = f"{state}/{FOLDER}/{session_id}"
    if owner is None:
        owner = user
        # The CLI's own word for it can be anything.
        if _ID.fullmatch(session_id):
            write_record(path, {"user": user})
    else:
        with suppress(OSError):
            # It is in use.
            os.utime(path, follow_symlinks=False)
    return owner


def forget_old(state: str) -> None:
    """Forget the sessions that no job has used for long."""
    remove_old_files(f"{state}/{FOLDER}", KEPT)
