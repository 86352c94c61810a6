"""The answer to `POST /v1/chat/completions` by the direct backend."""

from functools import partial

from flask import Response, after_this_request, request

from app.auth.users import User
from app.conversation.turn_request import TurnRequest
from app.direct.chat import DirectChat
from app.direct.service import refuse_key
from app.direct.translation import sampling_of
from app.http.answer_response import add_job_header, name_ignored, stream_when_begun
from app.http.error_handlers import mark_job_started
from app.http.request_id import request_id
from app.jobs.idempotency import Key
from app.openai.chat_body import CompletionRequest
from app.openai.completion_response import AnsweredTurn, CompletionResponse

#: The `system_fingerprint` of such answers.
FINGERPRINT = "direct"


class DirectCompletions:
    """Answers completions. The head of an answer that is not streamed waits for `head_delay` s."""

    def __init__(self, chat: DirectChat, head_delay: float) -> None:
        self._chat = chat
        self._head_delay = head_delay

    def answer(
        self, completion: CompletionRequest, turn: TurnRequest, key: Key | None, user: User
    ) -> Response | None:
        """The response to the current request; None if the CLI serves it.

        Raises BadParameter, AnswerFailed and what `Direct.begin` raises.
        """
        direct = self._chat.direct
        model = direct.choice.model_for(completion.model, turn.options)
        if model is None:
            return None
        refuse_key(key)
        sampling, heeded = sampling_of(completion.model_extra or {})
        exchange = self._chat.begin(model, turn, completion.stop, sampling, user, request_id())
        mark_job_started(exchange.job.id)
        # Error responses have it, too.
        after_this_request(partial(add_job_header, exchange.job.id))
        stops = completion.stop
        events = self._chat.events(exchange, turn.tools, stops, user, request.environ)
        answer = CompletionResponse(
            AnsweredTurn(model, with_lines=False, has_session=False),
            exchange.job,
            completion,
            direct.jobs.metrics,
            FINGERPRINT,
            None,
            None,
        )
        if completion.stream:
            response = stream_when_begun(answer.stream, events, exchange.job.id)
        else:
            response = answer.in_one_piece(events, self._head_delay)
        ignored = [name for name in completion.ignored_parameters() if name not in heeded]
        name_ignored(response, ignored)
        return response
