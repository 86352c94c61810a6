"""The CLI's transcripts of sessions: `<home>/.claude/projects/<folder>/<id>.jsonl`.

As in the versions 2.1.197 to 2.1.330. Callers must work without a transcript, too: another version
may store them elsewhere.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping

from app.cli.lines import parse
from app.cli.transcript_chain import Answer, is_message, last_answer, leads_back
from app.cli.transcript_path import projects_folder, transcript_path
from app.state.files import read_at

_LENGTH = 36
_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Bytes of what the CLI adds to a transcript by itself (57 KB in 2.1.330), at most.
_MOST_NOTES = 1 << 18
# Bytes at the end of a transcript in which the last answer is looked for.
_LONGEST_ANSWER = 1 << 20
#: Bytes after an answer within which a transcript is read to find out whether it leads back.
MOST_LEADING_BACK = 1 << 22
# Bytes that are parsed between two pauses.
_PIECE = 1 << 17


class Transcripts:
    """The transcripts of a CLI with this environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111
        self._projects = projects_folder(home, environment.get("CLAUDE_CONFIG_DIR"))

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
        """Whether a session has more messages since its transcript had this size.

        What the CLI adds by itself is no message. True if this cannot be found out.
        """
        size = self.size(session_id, cwd)
        if size is None or not since <= size <= since + _MOST_NOTES:
            return True
        if size == since:
            return False
        *lines, rest = self._read(session_id, cwd, since, _MOST_NOTES).split(b"\n")
        return bool(rest) or not lines or not all(map(_is_note, lines))

    def last_answer(self, session_id: str, cwd: str, size: int) -> Answer | None:
        """The model's answer with which a session ended when its transcript had this size.

        None if the last message is another one, or if this cannot be found out.
        """
        begin = max(0, size - _LONGEST_ANSWER)
        found = last_answer(self._read(session_id, cwd, begin, size - begin))
        if found is None or not is_session_id(found.id):
            # A job may have written anything.
            return None
        return found._replace(at=begin + found.at)

    def leads_back(self, session_id: str, cwd: str, answer: Answer) -> bool:
        """Whether a session can be resumed at this answer."""
        found = self._read(session_id, cwd, answer.at, MOST_LEADING_BACK)
        return len(found) < MOST_LEADING_BACK and leads_back(_whole_lines(found), answer.id)

    def exist(self, session_id: str) -> bool:
        """Whether a session has a transcript, in any working directory."""
        try:
            return is_session_id(session_id) and self._path_somewhere(session_id) is not None
        except OSError:
            return False

    def _read(self, session_id: str, cwd: str, offset: int, length: int) -> bytes:
        """A part of a transcript; nothing if it cannot be read."""
        try:
            return read_at(self._path(session_id, cwd) or "", length, offset)
        except OSError:
            return b""

    def _path(self, session_id: str, cwd: str) -> str | None:
        """The transcript of a session in this working directory, which may be missing."""
        if not is_session_id(session_id):
            return None
        try:
            path = transcript_path(self._projects, session_id, os.path.realpath(cwd))
            return path or self._path_somewhere(session_id)
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


def _whole_lines(found: bytes) -> Iterator[bytes]:
    """The lines, but for one that is still being written."""
    size = 0
    for line in found.split(b"\n")[:-1]:
        yield line
        size += len(line)
        if size > _PIECE:
            # Other requests are served in between.
            size = 0
            time.sleep(0)


def _is_note(line: bytes) -> bool:
    fields = parse(line)
    return bool(fields) and not is_message(fields)


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
    return _ID.fullmatch(text) is not None
