"""The response to a chat completion, made of the events of its answer."""

import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from flask import Response

from app import sse
from app.conversation.events import (
    AgentLine,
    AnswerEnd,
    AnswerStart,
    CallDelta,
    CallStart,
    Comment,
    Event,
    TextDelta,
    UsageReport,
)
from app.conversation.messages import ToolCall
from app.errors import GatewayError
from app.http.late_json import Value, late_json
from app.metrics import Metrics
from app.openai.chat_body import CompletionRequest
from app.openai.completion import (
    DONE,
    ChunkWriter,
    CompletionHead,
    completion_object,
    error_chunk,
    finish_reason,
    usage_object,
)
from app.openai.errors import error_object
from app.records.job import Job

log = logging.getLogger(__name__)

#: Bytes of the CLI's lines in a response that is not streamed; further lines are left out.
MOST_LINES = 8 << 20


#: Records an answer: its session, if it has one, its text, None if it is not complete, its calls.
RecordAnswer = Callable[[str | None, str | None, Sequence[ToolCall]], None]


class AnsweredTurn(NamedTuple):
    """What the response needs of a turn: its model, if that is known before the answer.

    `with_lines`: the response has the CLI's lines, too. `has_session`: it names the session.
    """

    model: str | None
    with_lines: bool
    has_session: bool


class CompletionResponse:
    """The response of one completion, streamed or not.

    `session_id` is the session as far as it is known, and `record` is called with the answer; it is
    None for an older job, whose answer is recorded already. `fingerprint` names what has answered.
    """

    def __init__(
        self,
        turn: AnsweredTurn,
        job: Job,
        completion: CompletionRequest,
        metrics: Metrics,
        fingerprint: str,
        session_id: str | None,
        record: RecordAnswer | None,
    ) -> None:
        self._record_answer = record
        self._metrics = metrics
        self._turn = turn
        self._job = job
        self._fingerprint = fingerprint
        self._model = completion.model or turn.model or ""
        options = completion.stream_options
        self._with_usage = bool(options and options.include_usage)
        self._texts: list[str] = []
        # The id and name of each call, and the pieces of its arguments.
        self._calls: list[tuple[str, str, list[str]]] = []
        self._writer: ChunkWriter | None = None
        self._created = int(time.time())
        #: The session, as far as it is known.
        self.session_id = session_id

    def stream(self, events: Iterator[list[Event]]) -> Iterator[bytes]:
        """The chunks of the events, sent as they come."""
        self._metrics.count_stream(1)
        try:
            for batch in events:
                yield b"".join(self._chunks(batch))
        except GatewayError as error:
            yield error_chunk(error_object(error))
        except BrokenPipeError:
            raise
        except Exception as error:
            log.error("the completion %s failed: %s", self._job.id, type(error).__name__)
            yield error_chunk(error_object(GatewayError()))
        finally:
            self._metrics.count_stream(-1)

    def in_one_piece(self, events: Generator[list[Event]], head_delay: float) -> Response:
        """The whole completion, after the last event; its head waits for `head_delay` seconds."""
        return late_json(self._completion(events), head_delay, events.close)

    def _completion(self, events: Iterator[list[Event]]) -> Value:
        stop_reason, usage, size = None, None, 0
        lines: list[object] | None = [] if self._turn.with_lines else None
        for event in chain.from_iterable(events):
            self._record(event)
            if isinstance(event, AgentLine) and lines is not None:
                size += len(str(event.fields))
                if size <= MOST_LINES:
                    lines.append(event.fields)
            elif isinstance(event, AnswerEnd):
                stop_reason = event.stop_reason
            elif isinstance(event, UsageReport):
                usage = event.usage
            elif isinstance(event, Comment):
                yield
        if stop_reason is None:
            # The client has disconnected.
            return None
        return completion_object(
            self._head(),
            "".join(self._texts),
            self._tool_calls(),
            finish_reason(stop_reason),
            usage_object(usage) if usage else {},
            lines,
        )

    def _chunks(self, events: list[Event]) -> Iterator[bytes]:
        for event in events:
            self._record(event)
            if isinstance(event, Comment):
                yield sse.comment(event.text)
                continue
            writer = self._writer
            if writer is None:
                writer = self._writer = ChunkWriter(self._head(), self._with_usage)
                yield writer.begin()
            if isinstance(event, TextDelta):
                yield writer.text(event.text)
            elif isinstance(event, CallStart):
                yield writer.call(len(self._calls) - 1, event.id, event.name)
            elif isinstance(event, CallDelta):
                yield writer.arguments(len(self._calls) - 1, event.json)
            elif isinstance(event, AgentLine):
                yield writer.line(event.fields)
            elif isinstance(event, AnswerEnd):
                yield writer.finish(finish_reason(event.stop_reason))
            elif isinstance(event, UsageReport):
                yield writer.usage(usage_object(event.usage)) + DONE

    def _record(self, event: Event) -> None:
        if isinstance(event, AnswerStart):
            self._model = event.model or self._model
            if self._turn.has_session:
                self.session_id = event.session_id or self.session_id
        elif isinstance(event, TextDelta):
            self._texts.append(event.text)
        elif isinstance(event, CallStart):
            self._calls.append((event.id, event.name, []))
        elif isinstance(event, CallDelta):
            self._calls[-1][2].append(event.json)
        elif isinstance(event, AnswerEnd) and self._record_answer is not None:
            # Before the client sees the end: its next request may come at once.
            answer = "".join(self._texts) if event.is_complete else None
            try:
                self._record_answer(self.session_id, answer, self._tool_calls())
            except OSError as error:
                # The answer is complete; the next turn begins anew.
                log.error("cannot record the answer of job %s: %s", self._job.id, error)

    def _tool_calls(self) -> list[ToolCall]:
        return [ToolCall(name, "".join(texts), {}, id) for id, name, texts in self._calls]

    def _head(self) -> CompletionHead:
        return CompletionHead(
            f"chatcmpl-{self._job.id}",
            self._created,
            self._model,
            self._fingerprint,
            self.session_id,
        )
