"""The response to a chat completion, made of the events of its answer."""

import logging
import time
from collections.abc import Iterator
from itertools import chain

from flask import Response, jsonify

from app import sse
from app.auth.users import User
from app.conversation.events import (
    AgentLine,
    AnswerEnd,
    AnswerStart,
    Comment,
    Event,
    TextDelta,
    UsageReport,
)
from app.conversation.turns import Turn, Turns
from app.errors import GatewayError
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


class CompletionResponse:
    """The response of one completion, streamed or not. It also records the answer.

    `is_new`: this request started the job; the answer of an older one is recorded already.
    """

    def __init__(
        self,
        turns: Turns,
        turn: Turn,
        user: User,
        job: Job,
        completion: CompletionRequest,
        metrics: Metrics,
        is_new: bool,
    ) -> None:
        self._is_new = is_new
        self._metrics = metrics
        self._turns = turns
        self._turn = turn
        self._user = user
        self._job = job
        version = turns.requests.claude.version
        self._fingerprint = f"claude-code-{version.split()[0]}"
        self._model = completion.model or turn.spec.model or ""
        options = completion.stream_options
        self._with_usage = bool(options and options.include_usage)
        self._texts: list[str] = []
        self._writer: ChunkWriter | None = None
        self._created = int(time.time())
        #: The session, as far as it is known.
        self.session_id = None if turn.spec.fork_session else turn.spec.session_id
        if not is_new:
            # The turn has a new session; the job's record has that of the first request.
            first_request = job.request()
            self.session_id = first_request and first_request.session_id

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

    def in_one_piece(self, events: Iterator[list[Event]]) -> Response:
        """The whole completion, after the last event."""
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
        if stop_reason is None:
            # The client has disconnected: nothing reads this.
            return Response(status=499)
        return jsonify(
            completion_object(
                self._head(),
                "".join(self._texts),
                finish_reason(stop_reason),
                usage_object(usage) if usage else {},
                lines,
            )
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
            elif isinstance(event, AgentLine):
                yield writer.line(event.fields)
            elif isinstance(event, AnswerEnd):
                yield writer.finish(finish_reason(event.stop_reason))
            elif isinstance(event, UsageReport):
                yield writer.usage(usage_object(event.usage)) + DONE

    def _record(self, event: Event) -> None:
        if isinstance(event, AnswerStart):
            self._model = event.model or self._model
            self.session_id = event.session_id or self.session_id
        elif isinstance(event, TextDelta):
            self._texts.append(event.text)
        elif isinstance(event, AnswerEnd) and self._is_new:
            # Before the client sees the end: its next request may come at once.
            answer = "".join(self._texts) if event.is_complete else None
            try:
                run = self._job.run.id
                self._turns.record(self._turn, self._user, self.session_id, run, answer)
            except OSError as error:
                # The answer is complete; the next turn begins a new session.
                log.error("cannot record the session of job %s: %s", self._job.id, error)

    def _head(self) -> CompletionHead:
        return CompletionHead(
            f"chatcmpl-{self._job.id}",
            self._created,
            self._model,
            self._fingerprint,
            self.session_id,
        )
