"""`POST /v1/responses`."""

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, after_this_request, g, jsonify, request

from app.auth.users import User
from app.conversation.chat_turns import ChatTurns
from app.conversation.errors import BadParameter
from app.conversation.events import Event
from app.conversation.model_answer import parser_for
from app.conversation.reader import read_events
from app.conversation.turns import Turn
from app.http.answer_response import add_job_header, name_ignored, stream_when_begun
from app.http.idempotency_header import idempotency_key_of
from app.http.repeatable import Repeatable, repeatable
from app.http.start_job import StartedJob
from app.http.stream_response import stream_response
from app.jobs.idempotency import Key
from app.json_body import read_object
from app.openai.openapi_models import OpenAIError
from app.openapi.describe import Body, describes
from app.responses import openapi_models
from app.responses.answer import ResponseAnswer
from app.responses.direct_response import AskedDirectly, DirectResponses
from app.responses.first_record import FirstRecord
from app.responses.history import Before, History
from app.responses.record_answer import AnswerRecord
from app.responses.replay import Replay, cut_for, new_object
from app.responses.request_body import ResponseRequest, read_fields, with_input
from app.responses.response_builder import ResponseBuilder
from app.responses.store import StoredResponse
from app.responses.turn_request import to_turn_request

# What is not stored of a request: the items are beside it, and options may have secrets.
_NOT_STORED = ("input", "claude")
_TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "a question": {"model": "sonnet", "input": "What is a pipe?"},
    "a tool of the client": {
        "model": "sonnet",
        "input": [{"role": "user", "content": "What is the weather in Oslo?"}],
        "tools": [_TOOL],
    },
    "in the background": {"model": "sonnet", "input": "What is a pipe?", "background": True},
}


@dataclass(frozen=True)
class Asked:
    """A request that is checked: its items, what comes before them, and whether it is stored."""

    request: ResponseRequest
    fields: Mapping[str, Any]
    items: list[dict[str, Any]]
    before: Before
    is_stored: bool
    body: bytes

    @property
    def conversation(self) -> str | None:
        """The id of the conversation that it continues."""
        return self.request.conversation.id if self.request.conversation else None

    @property
    def in_background(self) -> bool:
        """Whether the response goes on without its client."""
        return self.request.background is True

    @property
    def stands_alone(self) -> bool:
        """Whether no response comes before it, and none can follow in a conversation."""
        return self.before.response_id is None and self.conversation is None


class Creation:
    """Creates responses. The head of one that is not streamed waits for `head_delay` seconds."""

    def __init__(
        self,
        turns: ChatTurns,
        direct: DirectResponses,
        replay: Replay,
        history: History,
        head_delay: float,
    ) -> None:
        self._turns = turns
        self._direct = direct
        self._jobs = replay.jobs
        self._store = replay.store
        self._history = history
        self._head_delay = head_delay

    def add_route(self, views: Blueprint) -> None:
        """Add the view to a blueprint."""

        @views.post("/v1/responses")
        @describes(
            "Have the model respond.",
            openapi_models.RESPONSE,
            details="As in OpenAI's API. Each response is a job, whose id is in `X-Process-ID`.",
            body=Body({"application/json": ResponseRequest}, _EXAMPLES),
            errors=openapi_models.RESPONSE_ERRORS,
            error_body=OpenAIError,
        )
        def create() -> Response:
            requested_at = time.monotonic()
            body = self._turns.agent.requests.bodies.read_json_bytes(request)
            asked = self._check(body, g.user)
            key = idempotency_key_of(request, body)
            waits = not (asked.request.stream or asked.in_background)
            repeat = repeatable(request, body, g.user) if waits else None
            return self._answer(asked, key, repeat, requested_at, g.user)

    def _check(self, body: bytes, user: User) -> Asked:
        fields = read_object(body)
        asked = read_fields(fields)
        is_stored = asked.store is not False and self._store.is_enabled
        for name, wanted in (
            ("background", asked.background),
            ("conversation", asked.conversation),
        ):
            if wanted and not is_stored:
                raise BadParameter(name, f"{name} is for responses that are stored")
        before = self._history.before(asked, user)
        items = self._history.resolved(asked, user)
        return Asked(with_input(asked, items), fields, items, before, is_stored, body)

    def _answer(
        self,
        asked: Asked,
        key: Key | None,
        repeat: Repeatable | None,
        requested_at: float,
        user: User,
    ) -> Response:
        tools = asked.request.request_tools()
        turn_request = to_turn_request(asked.request, asked.before.items, tools, request.headers)
        directly = AskedDirectly(
            asked.request,
            turn_request,
            _stored_fields(asked) if asked.is_stored else None,
            asked.items,
            asked.before.response_id,
        )
        if (answered := self._direct.answer(directly, key, user)) is not None:
            return answered
        turn = self._turns.prepare(turn_request, user, key)
        if asked.in_background:
            # No run waits for the results of tools: the client may come much later.
            turn = turn._replace(spec=turn.spec._replace(detached=True, hold=0.0))
        elif asked.stands_alone:
            turn = self._turns.keyed_for_cache(turn, turn_request, request, asked.body)
        started = self._start(asked, turn, user, repeat)
        # Error responses have it, too.
        after_this_request(partial(add_job_header, started.job.id))
        cache = self._turns.cache
        cache.note(turn, started)
        # The response of the job is another client's, who may delete it.
        own_id = str(uuid4()) if cache.replays(turn, started) else started.job.id
        response = new_object(started.job, asked.request, own_id, is_stored=asked.is_stored)
        builder = ResponseBuilder(response, own_id, tools, is_verbatim=not turn.has_cli_tools)
        stored = self._stored(asked, turn, user, own_id) if asked.is_stored else None
        answer_record = AnswerRecord(self._turns, self._store, turn, started, user, builder, stored)
        if asked.in_background and not asked.request.stream:
            answered = jsonify({**response, "status": "queued"})
        else:
            events = self._events(asked, turn, started, repeat, requested_at)
            answered = self._read(asked, builder, started, answer_record, events)
        if answer_record.session_id:
            answered.headers["X-Session-ID"] = answer_record.session_id
        name_ignored(answered, [*asked.request.ignored_parameters(), *turn.ignored])
        return answered

    def _start(self, asked: Asked, turn: Turn, user: User, repeat: Repeatable | None) -> StartedJob:
        """Start the job. Raises Unavailable, and what `ChatTurns.start` raises."""
        if not asked.in_background:
            return self._turns.start(self._jobs, turn, user, repeat)
        first = FirstRecord(self._store, user, partial(self._stored, asked, turn, user))
        turn = turn._replace(spec=turn.spec._replace(before_launch=first.write))
        try:
            return self._turns.start(self._jobs, turn, user, repeat)
        except BaseException:
            first.remove_without_job()
            raise

    def _events(
        self,
        asked: Asked,
        turn: Turn,
        started: StartedJob,
        repeat: Repeatable | None,
        requested_at: float,
    ) -> Generator[list[Event]]:
        cut = cut_for(asked.request, turn.tools)
        retries = self._turns.most_retries(turn, started)
        return read_events(
            self._jobs,
            started.job,
            parser_for(
                turn.tools,
                cut,
                retries,
                is_structured=turn.structured,
                any_object=asked.request.wants_any_object(),
            ),
            cut,
            request.environ,
            cancel_on_disconnect=started.cancel_on_disconnect,
            on_disconnect=self._turns.on_disconnect(repeat),
            # No history leads to a session whose answer was cut.
            end_run_at_cut=True,
            requested_at=requested_at if started.is_new else None,
        )

    def _read(
        self,
        asked: Asked,
        builder: ResponseBuilder,
        started: StartedJob,
        answer_record: AnswerRecord,
        events: Generator[list[Event]],
    ) -> Response:
        job_id = started.job.id
        answer = ResponseAnswer(
            builder,
            started.job,
            self._jobs.metrics,
            answer_record.note,
            answer_record.finish,
            in_background=asked.in_background,
        )
        if asked.in_background:
            # Its first event has the id, so it comes at once.
            stream = answer.stream(chain([[]], events))
            response = stream_response(stream, "text/event-stream", job_id)
            response.call_on_close(events.close)
            return response
        if asked.request.stream:
            return stream_when_begun(answer.stream, events, job_id)
        return answer.in_one_piece(events, self._head_delay)

    def _stored(self, asked: Asked, turn: Turn, user: User, own_id: str) -> StoredResponse:
        return StoredResponse(
            job_id=own_id,
            user=user.id,
            request=_stored_fields(asked),
            input=asked.items,
            previous=asked.before.response_id,
            conversation=asked.conversation,
            is_background=asked.in_background,
            is_structured=turn.structured,
            own_tools=None if turn.tools is None else list(turn.tools.own),
            response=None,
        )


def _stored_fields(asked: Asked) -> dict[str, Any]:
    return {name: each for name, each in asked.fields.items() if name not in _NOT_STORED}
