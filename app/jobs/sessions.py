"""The sessions of the CLI that exist, with the user of each."""

from dataclasses import dataclass

from app.cli.open_sessions import OpenSessions
from app.cli.transcripts import Transcripts
from app.jobs.store import Spool
from app.records import session_users


@dataclass(frozen=True)
class Sessions:
    """The sessions of jobs and of terminals."""

    spool: Spool
    transcripts: Transcripts
    open_sessions: OpenSessions

    def exist(self, session: str) -> bool:
        """Whether there is a session with this id, in any folder and of any user.

        A session may have no transcript yet, or none that is found. A damaged record counts: its
        session is another user's or the operator's.
        """
        state = self.spool.state
        return (
            session_users.has_record(state, session)
            or self.transcripts.exist(session)
            or self.open_sessions.has(session)
            or any(job.read_session() == session for job in self.spool.living())
            # The job may have ended just now.
            or session_users.has_record(state, session)
        )

    def user_of(self, session: str) -> str | None:
        """The id of the session's user; None if it is unknown, as of one begun in a terminal."""
        state = self.spool.state
        user = session_users.user_of(state, session)
        if user is not None:
            return user
        for job in self.spool.living():
            request = job.request()
            if request and request.continues != session and job.read_session() == session:
                return request.user
        # The job may have ended just now.
        return session_users.user_of(state, session)
