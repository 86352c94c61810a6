"""`POST /v1/messages`."""

import time
from collections.abc import Sequence
from functools import partial

from flask import Blueprint, Response, after_this_request, g, request

from app.anthropic import openapi_models, token_counts
from app.anthropic.errors import REQUEST_ID_HEADER
from app.anthropic.message_body import MessageRequest, read_request
from app.anthropic.message_response import MessageResponse
from app.anthropic.turn_request import to_turn_request
from app.conversation.client_tools import ClientTools
from app.conversation.cut import Cut
from app.conversation.messages import ToolCall
from app.conversation.model_answer import ModelAnswerParser
from app.conversation.model_turns import ModelTurns
from app.conversation.reader import read_events
from app.conversation.turns import Turn
from app.http.answer_response import add_job_header, name_ignored, stream_when_begun
from app.http.idempotency_header import idempotency_key_of
from app.http.request_id import request_id
from app.http.start_job import start_job
from app.jobs.idempotency import Key
from app.jobs.service import JobService
from app.openapi.describe import Body, describes
from app.records.job import Job

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


def blueprint(jobs: JobService, turns: ModelTurns, head_delay: float) -> Blueprint:
    """All views of this API.

    The head of an answer that is not streamed waits for `head_delay` seconds.
    """
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
        body = turns.requests.bodies.read_json_bytes(request)
        message = read_request(MessageRequest, body)
        key = idempotency_key_of(request, body)
        response = _answer(jobs, turns, message, key, requested_at, head_delay)
        name_ignored(response, message.ignored_parameters())
        return response

    token_counts.add_route(views, turns)
    return views


def _answer(
    jobs: JobService,
    turns: ModelTurns,
    message: MessageRequest,
    key: Key | None,
    requested_at: float,
    head_delay: float,
) -> Response:
    turn_request = to_turn_request(message, request.headers)
    tools = turn_request.tools or ClientTools([])
    turn = turns.prepare(turn_request, tools, g.user, key)
    started = start_job(jobs, turn.spec, g.user)
    # Error responses have it, too.
    after_this_request(partial(add_job_header, started.job.id))
    cut = Cut(message.stop_sequences or [], None)
    events = read_events(
        jobs,
        started.job,
        ModelAnswerParser(turn.structured, tools, cut),
        cut,
        request.environ,
        cancel_on_disconnect=started.cancel_on_disconnect,
        end_run_at_cut=True,
        requested_at=requested_at if started.is_new else None,
    )
    record = partial(_record, turns, turn, started.job) if started.is_new else None
    answer = MessageResponse(started.job, message.model, cut, jobs.metrics, record)
    if message.stream:
        return stream_when_begun(answer.stream, events, started.job.id)
    return answer.in_one_piece(events, head_delay)


def _record(turns: ModelTurns, turn: Turn, job: Job, text: str, calls: Sequence[ToolCall]) -> None:
    turns.record(turn, job.run.id, text, calls)
