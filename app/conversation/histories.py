"""The CLI sessions that can continue a history: `STATE_DIR/histories/<digest>`.

The file names the session that was at the end of a conversation, and the model's last answer then.
Beside it, `<digest>.<session id>` is there as long as the session can be claimed. A request removes
that file when it claims the session, so of two requests with the same history only one gets it. The
others get a fork: a new session that begins as a copy, up to that answer.

A session can be claimed only if no client has added anything to it since: its transcript has no
further messages, or only those of turns that its kept run has begun by itself, and no terminal has
it open. It is left to its owner: a request in another manner gets a fork, too, such as one for a
title, which is not streamed while the conversation is.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from app.cli.open_sessions import OpenSessions
from app.cli.transcript_chain import Answer
from app.cli.transcripts import Transcripts
from app.records import kept_run
from app.state import files
from app.state.old_files import remove_old_files
from app.state.record_file import read_as, write_record

#: Seconds that an unused history or conversation is kept; the CLI keeps its sessions as long.
KEPT = 30 * 86_400.0
#: Seconds between two searches for old ones.
CLEAN_EVERY = 3600.0


class HistorySession(NamedTuple):
    """A session at the end of a history; `size` is its transcript's, in bytes.

    If a run is kept for the session, that is `run`, which had served so many `jobs`. `manner` is
    that of the request which was answered, and `answer` the answer, if it is known.
    """

    session_id: str
    size: int
    run: str = ""
    jobs: int = 0
    manner: str = ""
    answer: Answer | None = None


class ClaimedSession(NamedTuple):
    """A session that was claimed for the history with this digest."""

    digest: str
    session_id: str


class Fork(NamedTuple):
    """The session to copy, up to this answer. `is_side`: its owner may still continue it."""

    session_id: str
    answer: str
    is_side: bool


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
        files.make_folder(str(self._folder))

    def has_transcript(self, session_id: str, cwd: str) -> bool:
        """Whether this session has any messages."""
        return self._transcripts.size(session_id, cwd) is not None

    def claim(self, digest: str, cwd: str, manner: str | None) -> ClaimedSession | None:
        """The session that can continue this history, for this caller alone; or None.

        A `manner` of None is any.
        """
        session = self._read(digest)
        if session is None or manner not in (None, session.manner):
            return None
        if self._open_sessions.has(session.session_id) or not self._is_at_end(session, cwd):
            return None
        claimed = ClaimedSession(digest, session.session_id)
        try:
            (self._folder / _free(claimed)).unlink()
        except OSError:
            # Another caller was faster, or a job has damaged the folder.
            return None
        return claimed

    def fork(self, digest: str, cwd: str) -> Fork | None:
        """The session of which a copy can continue this history, or None."""
        session = self._read(digest)
        if session is None or session.answer is None:
            return None
        if not self._transcripts.leads_back(session.session_id, cwd, session.answer):
            return None
        free = _free(ClaimedSession(digest, session.session_id))
        is_side = (self._folder / free).exists() and self._is_at_end(session, cwd)
        return Fork(session.session_id, session.answer.id, is_side)

    def unclaim(self, claimed: ClaimedSession) -> None:
        """Undo `claim`: nothing was added to the session. Raises OSError."""
        # A job may have removed the folder.
        files.make_folder(str(self._folder))
        with suppress(FileExistsError):
            files.write_file(str(self._folder / _free(claimed)), b"")

    def record(
        self, digest: str, session_id: str, cwd: str, run: str = "", manner: str = ""
    ) -> None:
        """Record that a session is at the end of this history, after a job of this run.

        Raises OSError.
        """
        size = self._transcripts.size(session_id, cwd)
        if size is not None:
            kept = kept_run.read(self._state, run)
            jobs = kept.jobs if kept is not None else 0
            answer = self._transcripts.last_answer(session_id, cwd, size)
            session = HistorySession(session_id, size, run if jobs else "", jobs, manner, answer)
            # A job may have removed the folder.
            files.make_folder(str(self._folder))
            write_record(str(self._folder / digest), session._asdict())
            self.unclaim(ClaimedSession(digest, session_id))
        if time.time() - self._cleaned >= CLEAN_EVERY:
            self._cleaned = time.time()
            remove_old_files(str(self._folder), KEPT)

    def _read(self, digest: str) -> HistorySession | None:
        return read_as(HistorySession, str(self._folder / digest))

    def _is_at_end(self, session: HistorySession, cwd: str) -> bool:
        """Whether no client has added anything to the session."""
        if not self._transcripts.has_more(session.session_id, cwd, session.size):
            return True
        kept = kept_run.read(self._state, session.run)
        return (
            kept is not None
            and kept.own_turns > 0
            and (kept.session, kept.jobs) == (session.session_id, session.jobs)
        )


def _free(claimed: ClaimedSession) -> str:
    """The name of the file that is there while a session can be claimed."""
    return f"{claimed.digest}.{claimed.session_id}"
