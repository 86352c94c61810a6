"""The user of each session of the CLI: `STATE_DIR/sessions/<id>` contains the user's id.

A session belongs to the user whose job started it; a session that no job started was started in a
terminal. The records of `app.conversation.conversations`, and those of 1.0, have the user, too.

Standard library alone, because the supervisor imports this.
"""

import os
import re
from contextlib import suppress

from app.state import files
from app.state.old_files import remove_old_files
from app.state.record_file import read_record, write_record

#: The folder in STATE_DIR.
FOLDER = "sessions"
#: Seconds after the last job of a session until its user is forgotten.
KEPT = 90 * 86_400.0

# That of the conversations, whose records have the user, too.
_CONVERSATIONS = "conversations"

_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def user_of(state: str, session_id: str) -> str | None:
    """The id of the session's user, or None if it is unknown."""
    if not _ID.fullmatch(session_id):
        return None
    for folder in (FOLDER, _CONVERSATIONS):
        user = (read_record(f"{state}/{folder}/{session_id}") or {}).get("user")
        if isinstance(user, str):
            return user
    return None


def has_record(state: str, session_id: str) -> bool:
    """Whether there is a record of the session, even a damaged one, which names no user."""
    return _ID.fullmatch(session_id) is not None and any(
        files.is_there(f"{state}/{folder}/{session_id}") for folder in (FOLDER, _CONVERSATIONS)
    )


def known(state: str) -> set[str]:
    """The sessions that have a record, even a damaged one."""
    found: set[str] = set()
    for folder in (FOLDER, _CONVERSATIONS):
        with suppress(OSError):
            found.update(os.listdir(f"{state}/{folder}"))
    return found


def remember(state: str, session_id: str, user: str) -> str:
    """Remember the user of a session, unless it has one; returns its user. Raises OSError."""
    known = user_of(state, session_id)
    path = f"{state}/{FOLDER}/{session_id}"
    if known is None:
        # The CLI can print anything as an id.
        if _ID.fullmatch(session_id):
            write_record(path, {"user": user})
        return user
    with suppress(OSError):
        # It is in use.
        os.utime(path, follow_symlinks=False)
    return known


def forget(state: str, session_id: str) -> None:
    """Forget the user of a session that was not begun after all."""
    if _ID.fullmatch(session_id):
        files.discard(f"{state}/{FOLDER}/{session_id}")


def forget_old(state: str) -> None:
    """Forget the sessions that no job has used for long."""
    remove_old_files(f"{state}/{FOLDER}", KEPT)
