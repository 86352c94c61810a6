"""`POST /v1/chat/completions`."""

import logging
import time
from collections.abc import Iterator
from functools import partial
from itertools import chain

from flask import Blueprint, Response, after_this_request, g, jsonify, request

from app import sse
from app.auth.users import User
from app.cli.installed import Installed
from app.conversation.answer import Answer, Begun, Line, Text
from app.conversation.cut import Cut
from app.conversation.reader import Comment, Event, Finish, Usage, read
from app.errors import GatewayError
from app.http.idempotency_header import idempotency_key_of
from app.http.start_job import start_job
from app.http.stream_response import stream_response
from app.jobs.service import JobService
from app.metrics import Metrics
from app.openai import chunks, described
from app.openai.chat_schema import CompletionRequest, read_completion
from app.openai.chunks import Chunks, Head
from app.openai.errors import error_object
from app.openai.task import Task, Tasks
from app.openapi.describe import Body, describes
from app.records.job import Job

log = logging.getLogger(__name__)

#: Bytes of what the agent did that one answer in one piece holds; the rest is left out.
MOST_LINES = 8 << 20
#: Characters of the names of what is ignored that are told.
MOST_IGNORED = 1000


def blueprint(jobs: JobService, tasks: Tasks, claude: Installed) -> Blueprint:
    """The view."""
    views = Blueprint("completions", __name__)

    @views.post("/v1/chat/completions")
    @describes(
        "Complete a chat.",
        described.COMPLETION,
        details="As OpenAI's API has it. Each completion is a job: its id is in `X-Process-ID`.",
        body=Body({"application/json": CompletionRequest}),
        errors=described.NOT_BEGUN,
        error_body=described.OpenAIError,
    )
    def complete() -> Response:
        body = tasks.requests.bodies.read_json_bytes(request)
        asked = read_completion(body)
        key = idempotency_key_of(request, body)
        task = tasks.prepare(asked, request.headers, g.user, key)
        try:
            started = start_job(jobs, task.order, g.user)
        except BaseException:
            tasks.forget(task)
            raise
        job, is_new = started.job, started.is_new
        if not is_new:
            tasks.forget(task)
        # Also an error's answer tells it.
        after_this_request(partial(_tell_job, job.id))
        events = read(
            jobs,
            job,
            Answer(task.structured, task.events),
            Cut(asked.stop, asked.most_tokens()),
            request.environ,
            cancel_on_disconnect=started.cancel_on_disconnect,
        )
        fingerprint = f"claude-code-{claude.version.split()[0]}"
        sent = _Sent(tasks, task, g.user, job, asked, fingerprint, jobs.metrics, is_new)
        if asked.stream:
            # A failure before the model begins is still told by a status.
            first = next(events, [])
            answer = stream_response(
                sent.stream(chain([first], events)), "text/event-stream", job.id
            )
            answer.call_on_close(events.close)  # type: ignore[attr-defined]  # a generator
        else:
            answer = sent.in_one_piece(events)
        if sent.session_id:
            answer.headers["X-Session-ID"] = sent.session_id
        ignored = asked.ignored()
        if ignored:
            names = ", ".join(name for name in ignored if name.isascii() and name.isidentifier())
            # A header has no room for thousands.
            answer.headers["X-Claude-Ignored"] = names[:MOST_IGNORED]
        return answer

    return views


def _tell_job(job_id: str, response: Response) -> Response:
    response.headers["X-Process-ID"] = job_id
    return response


class _Sent:
    """One completion on its way to its client."""

    def __init__(
        self,
        tasks: Tasks,
        task: Task,
        user: User,
        job: Job,
        asked: CompletionRequest,
        fingerprint: str,
        metrics: Metrics,
        is_new: bool,
    ) -> None:
        self._is_new = is_new
        self._metrics = metrics
        self._tasks = tasks
        self._task = task
        self._user = user
        self._job = job
        self._fingerprint = fingerprint
        self._model = asked.model or task.order.model or ""
        self._with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
        self._texts: list[str] = []
        self._writer: Chunks | None = None
        self._created = int(time.time())
        #: The session, as far as it is known. Of a job that is told again, its record knows.
        self.session_id = None if task.order.fork_session else task.order.session_id
        if not is_new:
            asked_before = job.request()
            self.session_id = asked_before and asked_before.session_id

    def stream(self, events: Iterator[list[Event]]) -> Iterator[bytes]:
        """The chunks, as what is in them is said."""
        self._metrics.count_stream(1)
        try:
            for together in events:
                yield b"".join(self._chunks(together))
        except GatewayError as error:
            yield chunks.failure(error_object(error))
        except BrokenPipeError:
            raise
        except Exception as error:
            log.error("the completion %s failed: %s", self._job.id, type(error).__name__)
            yield chunks.failure(error_object(GatewayError()))
        finally:
            self._metrics.count_stream(-1)

    def in_one_piece(self, events: Iterator[list[Event]]) -> Response:
        """The whole, once it has ended."""
        reason, usage, size = None, {}, 0
        lines: list[object] | None = [] if self._task.events else None
        for event in chain.from_iterable(events):
            self._note(event)
            if isinstance(event, Line) and lines is not None:
                size += len(str(event.fields))
                if size <= MOST_LINES:
                    lines.append(event.fields)
            elif isinstance(event, Finish):
                reason = event.reason
            elif isinstance(event, Usage):
                usage = event.usage
        if reason is None:
            # The client has gone: nobody reads this.
            return Response(status=499)
        return jsonify(chunks.whole(self._head(), "".join(self._texts), reason, usage, lines))

    def _chunks(self, events: list[Event]) -> Iterator[bytes]:
        for event in events:
            self._note(event)
            if isinstance(event, Comment):
                yield sse.comment(event.text)
                continue
            writer = self._writer
            if writer is None:
                writer = self._writer = Chunks(self._head(), self._with_usage)
                yield writer.begin()
            if isinstance(event, Text):
                yield writer.text(event.text)
            elif isinstance(event, Line):
                yield writer.line(event.fields)
            elif isinstance(event, Finish):
                yield writer.finish(event.reason)
            elif isinstance(event, Usage):
                yield writer.usage(event.usage) + chunks.DONE

    def _note(self, event: Event) -> None:
        if isinstance(event, Begun):
            self._model = event.model or self._model
            self.session_id = event.session_id or self.session_id
        elif isinstance(event, Text):
            self._texts.append(event.text)
        elif isinstance(event, Finish) and self._is_new:
            # Before the client is told, which may go on at once.
            answer = "".join(self._texts) if event.whole else None
            try:
                self._tasks.remember(self._task, self._user, self.session_id, answer)
            except OSError as error:
                # The answer is whole; the next turn begins a new session.
                log.error("cannot remember the session of job %s: %s", self._job.id, error)

    def _head(self) -> Head:
        return Head(
            f"chatcmpl-{self._job.id}",
            self._created,
            self._model,
            self._fingerprint,
            self.session_id,
        )
