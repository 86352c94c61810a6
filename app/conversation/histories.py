"""The CLI sessions that can continue a history: `STATE_DIR/histories/<digest>`.

A session can continue a history only if no client has added anything to it since: its transcript
has no further messages, or only those of turns that its kept run has begun by itself, and no
terminal has it open. A request
removes the file when it claims the session, so of two requests with the same history only one gets
it.
"""

import time
from pathlib import Path
from typing import NamedTuple

from app.cli.open_sessions import OpenSessions
from app.cli.transcripts import Transcripts
from app.records import kept_run
from app.state.files import make_folder
from app.state.old_files import remove_old_files
from app.state.record_file import take_as, write_record

#: Seconds that an unused history or conversation is kept; the CLI keeps its sessions as long.
KEPT = 30 * 86_400.0
#: Seconds between two searches for old ones.
CLEAN_EVERY = 3600.0


class HistorySession(NamedTuple):
    """A session at the end of a history; `size` is its transcript's, in bytes.

    If a run is kept for the session, that is `run`, which had served so many `jobs`.
    """

    digest: str
    session_id: str
    size: int
    run: str = ""
    jobs: int = 0


class _Record(NamedTuple):
    """The content of a history's file."""

    session_id: str
    size: int
    run: str = ""
    jobs: int = 0


class Histories:
    """The histories of one state folder, for all workers."""

    def __init__(self, state: Path, transcripts: Transcripts, open_sessions: OpenSessions) -> None:
        self._state = str(state)
        self._folder = state / "histories"
        self._transcripts = transcripts
        self._open_sessions = open_sessions
        self._cleaned = 0.0
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A job may have put something else there.
        make_folder(str(self._folder))

    def has_transcript(self, session_id: str, cwd: str) -> bool:
        """Whether this session has any messages."""
        return self._transcripts.size(session_id, cwd) is not None

    def claim(self, digest: str, cwd: str) -> HistorySession | None:
        """The session that can continue this history, for this caller alone; or None."""
        record = take_as(_Record, str(self._folder / digest))
        if record is None:
            return None
        session = HistorySession(digest, *record)
        if self._open_sessions.has(session.session_id):
            return None
        if self._transcripts.has_more(session.session_id, cwd, session.size):
            return session if self._has_own_turns_alone(session) else None
        return session

    def _has_own_turns_alone(self, session: HistorySession) -> bool:
        """Whether a kept run has the session, and added to it without a job."""
        kept = kept_run.read(self._state, session.run)
        return (
            kept is not None
            and kept.own_turns > 0
            and (kept.session, kept.jobs) == (session.session_id, session.jobs)
        )

    def unclaim(self, session: HistorySession) -> None:
        """Undo `claim`: nothing was added to the session. Raises OSError."""
        # A job may have removed the folder.
        make_folder(str(self._folder))
        record = _Record(*session[1:])
        write_record(str(self._folder / session.digest), record._asdict())

    def record(self, digest: str, session_id: str, cwd: str, run: str = "") -> None:
        """Record that a session is at the end of this history, after a job of this run.

        Raises OSError.
        """
        size = self._transcripts.size(session_id, cwd)
        if size is not None:
            kept = kept_run.read(self._state, run)
            jobs = kept.jobs if kept is not None else 0
            self.unclaim(HistorySession(digest, session_id, size, run if jobs else "", jobs))
        if time.time() - self._cleaned >= CLEAN_EVERY:
            self._cleaned = time.time()
            remove_old_files(str(self._folder), KEPT)
