"""`POST /v1/chat/completions`."""

import time
from functools import partial
from typing import Any

from flask import Blueprint, Response, after_this_request, g, request

from app.conversation.answer import AnswerParser
from app.conversation.chat_turns import ChatTurns
from app.conversation.cut import Cut
from app.conversation.reader import read_events
from app.conversation.turns import Turn
from app.http.answer_response import add_job_header, name_ignored, stream_when_begun
from app.http.idempotency_header import idempotency_key_of
from app.http.repeatable import Repeatable, repeatable
from app.jobs.service import JobService
from app.openai import openapi_models
from app.openai.chat_body import CompletionRequest, read_completion
from app.openai.completion_response import AnsweredTurn, CompletionResponse
from app.openai.direct_completion import DirectCompletions
from app.openai.turn_request import to_turn_request
from app.openapi.describe import Body, describes

_QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "Which files are here?"}]}
_EXAMPLES = {
    "a question": {"model": "sonnet", **_QUESTION},
    "a stream": {"model": "sonnet", "stream": True, **_QUESTION},
}


def blueprint(
    jobs: JobService,
    turns: ChatTurns,
    direct: DirectCompletions,
    *,
    options_in_prompts: bool,
    head_delay: float,
) -> Blueprint:
    """The view."""
    views = Blueprint("completions", __name__)

    @views.post("/v1/chat/completions")
    @describes(
        "Complete a chat.",
        openapi_models.COMPLETION,
        details="As in OpenAI's API. Each completion is a job, whose id is in `X-Process-ID`.",
        body=Body({"application/json": CompletionRequest}, _EXAMPLES),
        errors=openapi_models.COMPLETION_ERRORS,
        error_body=openapi_models.OpenAIError,
    )
    def complete() -> Response:
        requested_at = time.monotonic()
        body = turns.agent.requests.bodies.read_json_bytes(request)
        completion = read_completion(body)
        key = idempotency_key_of(request, body)
        turn_request = to_turn_request(
            completion, request.headers, options_in_prompts=options_in_prompts
        )
        answered = direct.answer(completion, turn_request, key, g.user)
        if answered is not None:
            return answered
        turn = turns.prepare(turn_request, g.user, key)
        turn = turns.keyed_for_cache(turn, turn_request, request, body)
        asked = None if completion.stream else repeatable(request, body, g.user)
        # No history leads to a session whose answer was cut.
        ends_run = turn_request.session is None
        return _answer(jobs, turns, turn, completion, asked, ends_run, requested_at, head_delay)

    return views


def _answer(
    jobs: JobService,
    turns: ChatTurns,
    turn: Turn,
    completion: CompletionRequest,
    asked: Repeatable | None,
    end_run_at_cut: bool,
    requested_at: float,
    head_delay: float,
) -> Response:
    started = turns.start(jobs, turn, g.user, asked)
    # Error responses have it, too.
    after_this_request(partial(add_job_header, started.job.id))
    turns.cache.note(turn, started)
    most_retries = turns.most_retries(turn, started)
    events = read_events(
        jobs,
        started.job,
        AnswerParser(
            turn.structured,
            turn.with_lines,
            turn.tools,
            most_retries,
            any_object=completion.wants_any_object(),
        ),
        Cut(completion.stop, None if turn.tools else completion.token_limit()),
        request.environ,
        cancel_on_disconnect=started.cancel_on_disconnect,
        on_disconnect=turns.on_disconnect(asked),
        end_run_at_cut=end_run_at_cut,
        requested_at=requested_at if started.is_new else None,
    )
    record = partial(turns.record, turn, g.user, started.job)
    answer = CompletionResponse(
        AnsweredTurn(turn.spec.model, turn.with_lines, has_session=turn.tools is None),
        started.job,
        completion,
        jobs.metrics,
        f"claude-code-{turns.agent.requests.claude.version.split()[0]}",
        turns.session_of(turn, started),
        record if started.has_answer else None,
    )
    if completion.stream:
        response = stream_when_begun(answer.stream, events, started.job.id)
    else:
        response = answer.in_one_piece(events, head_delay)
    if answer.session_id:
        response.headers["X-Session-ID"] = answer.session_id
    name_ignored(response, [*completion.ignored_parameters(), *turn.ignored])
    return response
