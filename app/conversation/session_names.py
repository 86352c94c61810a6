"""The sessions that clients name: by the id of one, or by a name of their own."""

import json
from typing import NamedTuple
from uuid import UUID, uuid5

from app.auth.users import User
from app.cli.transcripts import session_id_in
from app.conversation.conversations import ConversationRecord, Conversations
from app.errors import SessionNotFound
from app.jobs.sessions import Sessions

# The namespace of the session ids that stand for clients' own names (RFC 9562, version 5).
_SESSION_NAMES = UUID("6f1c0c43-2d2b-4a57-8d1c-2f0a4a3c9e35")


class NamedSession(NamedTuple):
    """The session that a client names. `may_be_new`: it begins if it has no messages yet.

    `known` is its conversation, if it is the user's and has been recorded.
    """

    id: str
    may_be_new: bool
    known: ConversationRecord | None


def find_named_session(
    name: str, user: User, conversations: Conversations, sessions: Sessions
) -> NamedSession:
    """The session with this id, or else this user's session of this name.

    A client's own name may be a UUID, too; another user's is another session. Raises
    SessionNotFound for another user's session.
    """
    session_id = session_id_in(name)
    is_id = session_id is not None and sessions.exist(session_id)
    session = session_id if session_id and is_id else _session_id_for(session_id or name, user)
    known = conversations.find(session, user)
    if known is None and conversations.is_other_users(session, user):
        raise SessionNotFound(session)
    return NamedSession(session, known is not None or not is_id, known)


def _session_id_for(name: str, user: User) -> str:
    """The id of the session that a user's clients call by this name."""
    return str(uuid5(_SESSION_NAMES, json.dumps([user.id, name])))
