"""The records of an answer: for the next turn of its conversation, and for clients that read it."""

import logging

from app.auth.users import User
from app.conversation.chat_turns import ChatTurns
from app.conversation.events import AnswerEnd, AnswerStart, Event
from app.conversation.turns import Turn
from app.http.start_job import StartedJob
from app.responses.response_builder import ResponseBuilder
from app.responses.response_object import output_text
from app.responses.store import ResponseStore, StoredResponse

log = logging.getLogger(__name__)


class AnswerRecord:
    """Records one answer; `stored` is its record, if the response is stored."""

    def __init__(
        self,
        turns: ChatTurns,
        store: ResponseStore,
        turn: Turn,
        started: StartedJob,
        user: User,
        builder: ResponseBuilder,
        stored: StoredResponse | None,
    ) -> None:
        self._turns = turns
        self._store = store
        self._turn = turn
        self._started = started
        self._user = user
        self._builder = builder
        self._stored = stored
        self._is_whole = False
        #: The session, as far as it is known.
        self.session_id = turns.session_of(turn, started)

    def note(self, event: Event) -> None:
        """Note what an event says about the answer."""
        if isinstance(event, AnswerStart) and self._turn.tools is None:
            self.session_id = event.session_id or self.session_id
        elif isinstance(event, AnswerEnd):
            self._is_whole = event.is_complete

    def finish(self) -> None:
        """Record the answer before the client sees its end: its next request may come at once."""
        job, items = self._started.job, self._builder.items
        text = output_text(items.items) if self._is_whole else None
        try:
            if self._started.has_answer:
                self._turns.record(self._turn, self._user, job, self.session_id, text, items.calls)
            if self._stored is not None:
                whole = self._stored._replace(response=self._builder.response)
                # One in the background is the last one of its conversation since it began.
                (self._store.complete if whole.is_background else self._store.add)(whole)
                if whole.conversation is not None:
                    self._record_turn(whole.conversation)
        except OSError as error:
            # The answer is complete; the next request begins anew.
            log.error("cannot record the answer of job %s: %s", job.id, error)

    def _record_turn(self, conversation: str) -> None:
        conversations = self._turns.agent.conversations
        known = conversations.find(conversation, self._user)
        if known is not None:
            # The folder is that of the conversation's turns in agent mode.
            conversations.record_turn(conversation, self._user, known.cwd, self._turn.spec.model)
