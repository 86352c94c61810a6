"""The CLI's transcripts of sessions: `<home>/.claude/projects/<folder>/<id>.jsonl`.

As in the versions 2.1.197 to 2.1.330. Callers must work without a transcript, too: another version
may store them elsewhere.
"""

import json
import os
import re
from collections.abc import Mapping
from uuid import UUID

from app.state.files import read_at

#: The CLI shortens the name of a folder that is longer than this.
_LONGEST_NAME = 200
_LENGTH = 36
# Bytes of what the CLI adds to a transcript at its exit (707 in 2.1.330), at most.
_MOST_NOTES = 1 << 16


class Transcripts:
    """The transcripts of a CLI with this environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111
        base = environment.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude"
        self._projects = f"{base}/projects"

    def size(self, session_id: str, cwd: str) -> int | None:
        """Bytes of a session's transcript in this working directory; None if there is none.

        It grows with each message of the session, whichever program sends it.
        """
        path = self._path(session_id, cwd)
        try:
            return os.stat(path or "").st_size  # noqa: PTH116
        except OSError:
            return None

    def has_more(self, session_id: str, cwd: str, since: int) -> bool:
        """Whether anything was said in a session since its transcript had this size.

        What the CLI notes at its exit is no message. True if this cannot be found out.
        """
        size = self.size(session_id, cwd)
        if size is None or not since <= size <= since + _MOST_NOTES:
            return True
        if size == since:
            return False
        try:
            added = read_at(self._path(session_id, cwd) or "", _MOST_NOTES, since)
        except OSError:
            return True
        *lines, rest = added.split(b"\n")
        return bool(rest) or not all(map(_is_note, lines))

    def exist(self, session_id: str) -> bool:
        """Whether a session has a transcript, in any working directory."""
        try:
            return is_session_id(session_id) and self._path_somewhere(session_id) is not None
        except OSError:
            return False

    def _path(self, session_id: str, cwd: str) -> str | None:
        """The transcript of a session in this working directory, which may be missing."""
        if not is_session_id(session_id):
            return None
        try:
            name = re.sub(r"[^A-Za-z0-9]", "-", os.path.realpath(cwd))
            if len(name) <= _LONGEST_NAME:
                return f"{self._projects}/{name}/{session_id}.jsonl"
            return self._path_somewhere(session_id)
        except (OSError, ValueError):
            # ValueError: the path contains a NUL.
            return None

    def _path_somewhere(self, session_id: str) -> str | None:
        with os.scandir(self._projects) as folders:
            for folder in folders:
                path = f"{folder.path}/{session_id}.jsonl"
                if os.access(path, os.F_OK):
                    return path
        return None


def _is_note(line: bytes) -> bool:
    """Whether a line is no message: those have a `uuid`, by which they are chained."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and "uuid" not in fields


def session_id_in(text: str) -> str | None:
    """A session id in lower case; None if the text is not a session id.

    >>> session_id_in("54EB236B-b0ff-442a-9ae3-2e06374f0602"), session_id_in("my-session")
    ('54eb236b-b0ff-442a-9ae3-2e06374f0602', None)
    """
    lower = text.lower() if len(text) == _LENGTH else ""
    return lower if is_session_id(lower) else None


def is_session_id(text: str) -> bool:
    """Whether this is a UUID in lower case with dashes, like the CLI's session ids.

    >>> is_session_id("54eb236b-b0ff-442a-9ae3-2e06374f0602"), is_session_id("../x")
    (True, False)
    """
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
