"""`POST /v1/chat/completions`."""

import time
from collections.abc import Generator
from functools import partial
from itertools import chain

from flask import Blueprint, Response, after_this_request, g, request

from app.conversation.answer import AnswerParser
from app.conversation.cut import Cut
from app.conversation.events import Event
from app.conversation.reader import read_events
from app.conversation.turns import Turn, Turns
from app.http.idempotency_header import idempotency_key_of
from app.http.start_job import StartedJob, start_job
from app.http.stream_response import stream_response
from app.jobs.service import JobService
from app.openai import openapi_models
from app.openai.chat_body import CompletionRequest, read_completion
from app.openai.completion_response import CompletionResponse
from app.openai.turn_request import to_turn_request
from app.openapi.describe import Body, describes
from app.records.job import Job

#: Characters of X-Claude-Ignored.
MOST_IGNORED = 1000


def blueprint(jobs: JobService, turns: Turns, *, options_in_prompts: bool) -> Blueprint:
    """The view."""
    views = Blueprint("completions", __name__)

    @views.post("/v1/chat/completions")
    @describes(
        "Complete a chat.",
        openapi_models.COMPLETION,
        details="As in OpenAI's API. Each completion is a job, whose id is in `X-Process-ID`.",
        body=Body({"application/json": CompletionRequest}),
        errors=openapi_models.COMPLETION_ERRORS,
        error_body=openapi_models.OpenAIError,
    )
    def complete() -> Response:
        requested_at = time.monotonic()
        body = turns.requests.bodies.read_json_bytes(request)
        completion = read_completion(body)
        key = idempotency_key_of(request, body)
        turn_request = to_turn_request(
            completion, request.headers, options_in_prompts=options_in_prompts
        )
        turn = turns.prepare(turn_request, g.user, key)
        started = _start(jobs, turns, turn)
        # Error responses have it, too.
        after_this_request(partial(_add_job_header, started.job.id))
        events = read_events(
            jobs,
            started.job,
            AnswerParser(turn.structured, turn.with_lines),
            Cut(completion.stop, completion.token_limit()),
            request.environ,
            cancel_on_disconnect=started.cancel_on_disconnect,
            # No history leads to a session whose answer was cut.
            end_run_at_cut=turn_request.session is None,
            requested_at=requested_at if started.is_new else None,
        )
        answer = CompletionResponse(
            turns, turn, g.user, started.job, completion, jobs.metrics, started.is_new
        )
        response = _respond(answer, events, started.job, bool(completion.stream))
        _add_headers(response, answer, completion)
        return response

    return views


def _start(jobs: JobService, turns: Turns, turn: Turn) -> StartedJob:
    is_new = False
    try:
        started = start_job(jobs, turn.spec, g.user)
        is_new = started.is_new
        return started
    finally:
        if not is_new:
            turns.abandon(turn)


def _respond(
    answer: CompletionResponse, events: Generator[list[Event]], job: Job, is_stream: bool
) -> Response:
    if not is_stream:
        return answer.in_one_piece(events)
    # Until the model starts, a failure is still reported by a status.
    first = next(events, [])
    chunks = answer.stream(chain([first], events))
    response = stream_response(chunks, "text/event-stream", job.id)
    response.call_on_close(events.close)
    return response


def _add_headers(
    response: Response, answer: CompletionResponse, completion: CompletionRequest
) -> None:
    if answer.session_id:
        response.headers["X-Session-ID"] = answer.session_id
    ignored = completion.ignored_parameters()
    if ignored:
        names = ", ".join(name for name in ignored if name.isascii() and name.isidentifier())
        # A header has no room for thousands.
        response.headers["X-Claude-Ignored"] = names[:MOST_IGNORED]


def _add_job_header(job_id: str, response: Response) -> Response:
    response.headers["X-Process-ID"] = job_id
    return response
