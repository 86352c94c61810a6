"""The choice of the CLI session in which a conversation continues."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import uuid4

from app.conversation.histories import Histories, HistorySession
from app.conversation.messages import Message, first_unanswered

#: The most answers of a history, from its end, for which a session is looked up.
MOST_LOOKUPS = 50


class SessionChoice(NamedTuple):
    """The session to resume, or else the id of a new one.

    `first_unsent` is the index of the first message that the session does not have. `claimed` is
    the session if it was found by its history; it must be unclaimed if it is not used.
    """

    resumed: str | None
    new: str | None
    first_unsent: int
    claimed: HistorySession | None


def choose_named_session(
    histories: Histories, session_id: str, may_be_new: bool, cwd: str, messages: Sequence[Message]
) -> SessionChoice:
    """The session with this id. `may_be_new`: it is created if it has no messages yet."""
    if may_be_new and not histories.has_transcript(session_id, cwd):
        return SessionChoice(None, session_id, 0, None)
    return SessionChoice(session_id, None, first_unanswered(messages), None)


def choose_session_by_history(
    histories: Histories, cwd: str, messages: Sequence[Message], digests: Sequence[str]
) -> SessionChoice:
    """The session that can continue the longest part of the history, or a new one.

    `digests` has the digest after each of the messages.
    """
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    for index in answers[: -MOST_LOOKUPS - 1 : -1]:
        if index + 1 == len(messages):
            continue
        claimed = histories.claim(digests[index], cwd)
        if claimed is not None:
            return SessionChoice(claimed.session_id, None, index + 1, claimed)
    return SessionChoice(None, str(uuid4()), 0, None)
