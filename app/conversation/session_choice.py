"""The choice of the CLI session in which a conversation continues."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import uuid4

from app.conversation.histories import ClaimedSession, Fork, Histories
from app.conversation.messages import Message, first_unanswered
from app.conversation.session_names import NamedSession

#: The most answers of a history, from its end, for which a session is looked up.
MOST_LOOKUPS = 50


class SessionChoice(NamedTuple):
    """The session to resume, or else the id of a new one, which may begin as a `fork`.

    `first_unsent` is the index of the first message that the session does not have. `claimed` is
    the session if it was found by its history; it must be unclaimed if it is not used.
    """

    resumed: str | None
    new: str | None
    first_unsent: int
    claimed: ClaimedSession | None = None
    fork: Fork | None = None


def choose_named_session(
    histories: Histories, named: NamedSession, cwd: str, messages: Sequence[Message]
) -> SessionChoice:
    """The session that the client names; it begins if it may, and has no messages yet."""
    if named.may_be_new and not histories.has_transcript(named.id, cwd):
        return SessionChoice(None, named.id, 0)
    return SessionChoice(named.id, None, first_unanswered(messages))


def choose_session_by_history(
    histories: Histories,
    cwd: str,
    messages: Sequence[Message],
    digests: Sequence[str],
    manner: str,
    *,
    can_fork: bool,
    may_claim: bool = True,
) -> SessionChoice:
    """The session that can continue the longest part of the history, a fork of it, or a new one.

    `digests` has the digest after each of the messages. A session whose last answer was asked for
    in another manner is left to its owner, if the CLI can fork it. `may_claim`: the request will
    add its message to the session.
    """
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    for index in answers[: -MOST_LOOKUPS - 1 : -1]:
        if index + 1 == len(messages):
            continue
        wanted = manner if can_fork else None
        claimed = histories.claim(digests[index], cwd, wanted) if may_claim else None
        if claimed is not None:
            return SessionChoice(claimed.session_id, None, index + 1, claimed)
        fork = histories.fork(digests[index], cwd) if can_fork else None
        if fork is not None:
            return SessionChoice(None, str(uuid4()), index + 1, fork=fork)
    return SessionChoice(None, str(uuid4()), 0)
