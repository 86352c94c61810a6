"""The response to a request for a message, made of the events of its answer."""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain
from typing import Any

from flask import Response

from app import sse
from app.anthropic.agent_message import AgentMessage, usage_object
from app.anthropic.errors import error_body
from app.anthropic.message import MessageBuilder
from app.conversation.cut import Cut
from app.conversation.events import (
    AnswerEnd,
    AnswerStart,
    Comment,
    Event,
    ModelEvent,
    UsageReport,
)
from app.conversation.messages import ToolCall
from app.conversation.turns import Turn
from app.errors import GatewayError
from app.http.late_json import Value, late_json
from app.http.request_id import request_id
from app.metrics import Metrics
from app.records.job import Job

log = logging.getLogger(__name__)

#: Records an answer: its session, if it has one, its text, None if it is not complete, its calls.
RecordAnswer = Callable[[str | None, str | None, Sequence[ToolCall]], None]


class MessageResponse:
    """The response of one request, streamed or not.

    `session_id` is the session as far as it is known, and `record` is called with the answer; it is
    None for an older job, whose answer is recorded already.
    """

    def __init__(
        self,
        turn: Turn,
        job: Job,
        model: str,
        cut: Cut,
        metrics: Metrics,
        session_id: str | None,
        record: RecordAnswer | None,
    ) -> None:
        self._turn = turn
        self._job = job
        self._cut = cut
        self._metrics = metrics
        self._record = record
        self._request_id = request_id()
        self._has_ended = False
        self._builder = MessageBuilder(f"msg_{job.id}", model)
        self._agent_message = AgentMessage()
        # The end of an agent's answer, until its usage is known.
        self._agents_end: AnswerEnd | None = None
        #: The session, as far as it is known.
        self.session_id = session_id

    def stream(self, events: Iterator[list[Event]]) -> Iterator[bytes]:
        """The events of the model's API, sent as they come."""
        self._metrics.count_stream(1)
        try:
            for batch in events:
                yield b"".join(map(_frame, self._model_events(batch)))
        except GatewayError as error:
            yield _frame(error_body(error, self._request_id))
        except BrokenPipeError:
            raise
        except Exception as error:
            log.error("the message of job %s failed: %s", self._job.id, type(error).__name__)
            yield _frame(error_body(GatewayError(), self._request_id))
        finally:
            self._metrics.count_stream(-1)

    def in_one_piece(self, events: Generator[list[Event]], head_delay: float) -> Response:
        """The whole message, after the last event; its head waits for `head_delay` seconds."""
        return late_json(self._message(events), head_delay, events.close)

    def _message(self, events: Iterator[list[Event]]) -> Value:
        for event in self._model_events(chain.from_iterable(events)):
            if event["type"] == "ping":
                yield
        # Otherwise the client has disconnected.
        return self._builder.message if self._has_ended else None

    def _model_events(self, events: Iterator[Event] | list[Event]) -> Iterator[dict[str, Any]]:
        for event in events:
            if isinstance(event, Comment):
                # Where the message was cut, its job may take a while to end.
                if not self._has_ended:
                    yield {"type": "ping"}
            elif isinstance(event, ModelEvent):
                yield self._builder.add(event.fields)
            elif isinstance(event, AnswerStart):
                self._note_session(event.session_id)
                yield self._builder.begin()
            elif isinstance(event, AnswerEnd):
                self._has_ended = True
                if self._turn.has_cli_tools:
                    self._agents_end = event
                    ending = [*map(self._builder.add, self._agent_message.end())]
                else:
                    ending = self._builder.end(event.stop_reason, self._cut.stop)
                self._note_answer(event.is_complete)
                yield from ending
            elif isinstance(event, UsageReport):
                if self._agents_end is not None:
                    reason, usage = self._agents_end.stop_reason, usage_object(event.usage)
                    yield from self._builder.end(reason, self._cut.stop, usage)
            else:
                yield from map(self._builder.add, self._agent_message.events(event))

    def _note_session(self, session_id: str | None) -> None:
        if self._turn.tools is None:
            self.session_id = session_id or self.session_id

    def _note_answer(self, is_complete: bool) -> None:
        """Record the answer before the client sees the end: its next request may come at once."""
        if self._record is None:
            return
        answer = self._builder.text() if is_complete else None
        try:
            self._record(self.session_id, answer, self._builder.calls())
        except OSError as error:
            # The answer is complete; the next request begins anew.
            log.error("cannot record the answer of job %s: %s", self._job.id, error)


def _frame(event: dict[str, Any]) -> bytes:
    return sse.event(str(event["type"]), event)
