"""`POST /v1/messages`."""

import time
from functools import partial

from flask import Blueprint, Response, after_this_request, g, request

from app.anthropic import openapi_models, token_counts
from app.anthropic.direct_message import DirectMessages
from app.anthropic.errors import REQUEST_ID_HEADER
from app.anthropic.message_body import MessageRequest, read_fields
from app.anthropic.message_response import MessageResponse
from app.anthropic.turn_request import to_turn_request
from app.conversation.chat_turns import ChatTurns
from app.conversation.cut import Cut
from app.conversation.model_answer import parser_for
from app.conversation.reader import read_events
from app.conversation.turns import Turn
from app.http.answer_response import add_job_header, name_ignored, stream_when_begun
from app.http.idempotency_header import idempotency_key_of
from app.http.repeatable import Repeatable, repeatable
from app.http.request_id import request_id
from app.jobs.service import JobService
from app.json_body import read_object
from app.openapi.describe import Body, describes

_QUESTION = {"model": "sonnet", "messages": [{"role": "user", "content": "What is a pipe?"}]}
_TOOL = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
_EXAMPLES = {
    "a question": {**_QUESTION, "max_tokens": 1000},
    "a tool of the client": {
        "model": "sonnet",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": "What is the weather in Oslo?"}],
        "tools": [_TOOL],
    },
}


def blueprint(jobs: JobService, turns: ChatTurns, direct: DirectMessages) -> Blueprint:
    """All views of this API."""
    views = Blueprint("anthropic", __name__)

    @views.after_request
    def add_request_id(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = request_id()
        return response

    @views.post("/v1/messages")
    @describes(
        "Have the model answer.",
        openapi_models.MESSAGE,
        details="As in Anthropic's API. Each answer is a job, whose id is in `X-Process-ID`.",
        body=Body({"application/json": MessageRequest}, _EXAMPLES),
        errors=openapi_models.MESSAGE_ERRORS,
        error_body=openapi_models.AnthropicError,
    )
    def create() -> Response:
        requested_at = time.monotonic()
        body = turns.agent.requests.bodies.read_json_bytes(request)
        fields = read_object(body)
        answered = direct.answer(body, fields, g.user)
        if answered is not None:
            return answered
        message = read_fields(MessageRequest, fields)
        key = idempotency_key_of(request, body)
        asked = None if message.stream else repeatable(request, body, g.user)
        turn_request = to_turn_request(message, request.headers)
        turn = turns.prepare(turn_request, g.user, key)
        turn = turns.keyed_for_cache(turn, turn_request, request, body)
        has_session = turn_request.session is not None
        return _answer(
            jobs, turns, message, turn, asked, requested_at, direct.head_delay, has_session
        )

    token_counts.add_route(views, turns.model, direct)
    return views


def _answer(
    jobs: JobService,
    turns: ChatTurns,
    message: MessageRequest,
    turn: Turn,
    asked: Repeatable | None,
    requested_at: float,
    head_delay: float,
    has_session: bool,
) -> Response:
    started = turns.start(jobs, turn, g.user, asked)
    # Error responses have it, too.
    after_this_request(partial(add_job_header, started.job.id))
    turns.cache.note(turn, started)
    cut = Cut(message.stop_sequences or [], message.max_tokens if turn.tools is None else None)
    most_retries = turns.most_retries(turn, started)
    events = read_events(
        jobs,
        started.job,
        parser_for(turn.tools, cut, most_retries, is_structured=turn.structured),
        cut,
        request.environ,
        cancel_on_disconnect=started.cancel_on_disconnect,
        on_disconnect=turns.on_disconnect(asked),
        # No history leads to a session whose answer was cut.
        end_run_at_cut=not has_session,
        requested_at=requested_at if started.is_new else None,
    )
    record = partial(turns.record, turn, g.user, started.job) if started.has_answer else None
    session_id = turns.session_of(turn, started)
    answer = MessageResponse(
        turn, started.job, message.model, cut, jobs.metrics, session_id, record
    )
    if message.stream:
        response = stream_when_begun(answer.stream, events, started.job.id)
    else:
        response = answer.in_one_piece(events, head_delay)
    if answer.session_id:
        response.headers["X-Session-ID"] = answer.session_id
    name_ignored(response, [*message.ignored_parameters(), *turn.ignored])
    return response
