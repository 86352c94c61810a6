"""The answer to `POST /v1/responses` by the direct backend."""

import logging
from functools import partial
from typing import Any, NamedTuple

from flask import Response, after_this_request, request

from app.auth.users import User
from app.conversation.errors import BadParameter
from app.conversation.events import Event
from app.conversation.turn_request import TurnRequest
from app.direct.chat import DirectChat
from app.direct.service import refuse_key
from app.direct.translation import sampling_of
from app.http.answer_response import add_job_header, name_ignored, stream_when_begun
from app.http.error_handlers import mark_job_started
from app.http.request_id import request_id
from app.jobs.idempotency import Key
from app.responses.answer import ResponseAnswer
from app.responses.replay import new_object
from app.responses.request_body import ResponseRequest
from app.responses.response_builder import ResponseBuilder
from app.responses.store import ResponseStore, StoredResponse

log = logging.getLogger(__name__)


class AskedDirectly(NamedTuple):
    """A request that is checked, and what of it is stored: None if nothing is."""

    request: ResponseRequest
    turn: TurnRequest
    stored_fields: dict[str, Any] | None
    items: list[dict[str, Any]]
    previous: str | None


class DirectResponses:
    """Answers requests. The head of one that is not streamed waits for `head_delay` seconds."""

    def __init__(self, chat: DirectChat, store: ResponseStore, head_delay: float) -> None:
        self._chat = chat
        self._store = store
        self._head_delay = head_delay

    def answer(self, asked: AskedDirectly, key: Key | None, user: User) -> Response | None:
        """The response to the current request; None if the CLI serves it.

        Raises BadParameter, AnswerFailed and what `Direct.begin` raises.
        """
        direct = self._chat.direct
        model = direct.choice.model_for(asked.request.model, asked.turn.options)
        if model is None:
            return None
        refuse_key(key)
        if asked.request.background:
            raise BadParameter(
                "background",
                "The direct backend answers only while its client waits: leave it out, or set"
                " claude.backend to cli",
            )
        sampling, heeded = sampling_of(asked.request.model_extra or {})
        exchange = self._chat.begin(model, asked.turn, [], sampling, user, request_id())
        job = exchange.job
        mark_job_started(job.id)
        # Error responses have it, too.
        after_this_request(partial(add_job_header, job.id))
        is_stored = asked.stored_fields is not None
        response = new_object(job, asked.request, job.id, is_stored=is_stored)
        builder = ResponseBuilder(response, job.id, asked.request.request_tools(), is_verbatim=True)
        answer = ResponseAnswer(
            builder,
            job,
            direct.jobs.metrics,
            _note,
            partial(self._record, asked, job.id, builder, user),
            in_background=False,
        )
        events = self._chat.model_events(exchange, asked.turn.tools, user, request.environ)
        if asked.request.stream:
            answered = stream_when_begun(answer.stream, events, job.id)
        else:
            answered = answer.in_one_piece(events, self._head_delay)
        ignored = asked.request.ignored_parameters()
        name_ignored(answered, [name for name in ignored if name not in heeded])
        return answered

    def _record(
        self, asked: AskedDirectly, job_id: str, builder: ResponseBuilder, user: User
    ) -> None:
        """Store the response before the client sees its end: its next request may come at once."""
        if asked.stored_fields is None:
            return
        record = StoredResponse(
            job_id=job_id,
            user=user.id,
            request=asked.stored_fields,
            input=asked.items,
            previous=asked.previous,
            conversation=reference.id if (reference := asked.request.conversation) else None,
            is_background=False,
            is_structured=asked.turn.schema is not None,
            own_tools=[],
            response=builder.response,
        )
        try:
            self._store.add(record)
        except OSError as error:
            # The answer is complete; the next request begins anew.
            log.error("cannot record the answer of job %s: %s", job_id, error)


def _note(_: Event) -> None:
    """An event needs no note: there is no session."""
