"""Answers of the direct backend for a chat API that is not the model's own."""

import json
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.auth.users import User
from app.cli.lines import as_object
from app.conversation.client_tools import ClientTools
from app.conversation.cut import Cut
from app.conversation.errors import AnswerFailed, BadParameter
from app.conversation.events import (
    AnswerEnd,
    Comment,
    Event,
    ModelEvent,
    TextDelta,
    UsageReport,
)
from app.conversation.images import Images
from app.conversation.messages import first_unanswered, image_urls, split_system_prompt
from app.conversation.strict_calls import StrictCalls
from app.conversation.turn_request import TurnRequest
from app.conversation.turns import title_of_messages
from app.direct.answer_reader import data_of
from app.direct.exchange import Exchange
from app.direct.service import Direct, DirectRequest
from app.direct.translation import AnswerTranslator, Asked, message_body
from app.http.disconnect import begins_at_once

# Events that are translated before others are served.
_PORTION = 50


@dataclass(frozen=True)
class DirectChat:
    """The direct backend for requests without any API's format."""

    direct: Direct
    images: Images

    def begin(
        self,
        model: str,
        request: TurnRequest,
        stops: list[str],
        sampling: Mapping[str, Any],
        user: User,
        request_id: str,
    ) -> Exchange:
        """Begin the exchange for a request, which the model with this name answers.

        `sampling` has parameters of the model's API. Raises BadParameter and what `Direct.begin`
        raises.
        """
        if request.session is not None:
            raise BadParameter(
                "session_id",
                "The direct backend has no sessions: leave it out, or set claude.backend to cli",
            )
        options = self.direct.choice.values_of(request.options)
        if options.effort is not None:
            sampling = {**sampling, "output_config": {"effort": options.effort}}
        body = message_body(self._asked(model, request, stops, sampling))
        messages = split_system_prompt(request.prompt_messages).messages
        unanswered = messages[first_unanswered(messages) :]
        direct_request = DirectRequest(
            model=model,
            body=json.dumps(body, ensure_ascii=False).encode(errors="replace"),
            is_stream=True,
            headers={},
            query="",
            prompt_length=sum(len(message.text()) for message in unanswered),
            title=options.title or title_of_messages(request.prompt_messages),
            timeout=options.timeout,
            request_id=request_id,
        )
        return self.direct.begin(direct_request, user)

    def _asked(
        self, model: str, request: TurnRequest, stops: list[str], sampling: Mapping[str, Any]
    ) -> Asked:
        messages = split_system_prompt(request.prompt_messages).messages
        answered = messages[: first_unanswered(messages)]
        return Asked(
            model,
            request.prompt_messages,
            self.images.load(image_urls(messages), image_urls(answered)),
            request.tools,
            request.schema,
            request.max_tokens,
            stops,
            request.web_search,
            sampling,
        )

    @begins_at_once
    def events(
        self,
        exchange: Exchange,
        tools: ClientTools | None,
        stops: list[str],
        user: User,
        environ: Mapping[str, Any],
    ) -> Generator[list[Event]]:
        """The events of the answer, those that can be sent together in one list.

        If the client disconnects, they end, and the job is cancelled. Raises AnswerFailed, also
        for a call of a strict tool that does not follow its schema.
        """
        # The model's API does not take these as stops.
        cut = Cut([stop for stop in stops if not stop.strip()], None)
        translator = AnswerTranslator()
        with self.direct.read(exchange, user, environ) as pieces:
            yield []
            for found in _parsed(exchange, pieces, tools):
                if not found:
                    yield [Comment("ping")]
                    continue
                translated = [each for fields in found for each in translator.feed(fields)]
                if events := list(_until_cut(translated, cut)):
                    yield events
                if cut.reason is not None:
                    exchange.complete(cut.reason)
                    usage = UsageReport(translator.usage())
                    yield [AnswerEnd(cut.reason, is_complete=False), usage]
                    return
            error = exchange.error()
            if error is not None:
                raise error
            rest = cut.finish()
            yield [
                *([TextDelta(rest)] if rest else []),
                AnswerEnd(translator.stop_reason, is_complete=True),
                UsageReport(translator.usage()),
            ]

    @begins_at_once
    def model_events(
        self,
        exchange: Exchange,
        tools: ClientTools | None,
        user: User,
        environ: Mapping[str, Any],
    ) -> Generator[list[Event]]:
        """The same, but as the events of the model's API, before an AnswerEnd."""
        stop_reason = "end_turn"
        with self.direct.read(exchange, user, environ) as pieces:
            yield []
            for found in _parsed(exchange, pieces, tools):
                if not found:
                    yield [Comment("ping")]
                    continue
                for fields in found:
                    reason = as_object(fields.get("delta")).get("stop_reason")
                    stop_reason = str(reason or stop_reason)
                yield [ModelEvent(fields) for fields in found]
            error = exchange.error()
            if error is not None:
                raise error
            yield [AnswerEnd(stop_reason, is_complete=True)]


def _parsed(
    exchange: Exchange, pieces: Iterator[bytes], tools: ClientTools | None
) -> Iterator[list[dict[str, Any]]]:
    """The events of the model's API, some together; none where the client needs a sign of life.

    Raises AnswerFailed for a call of a strict tool that does not follow its schema.
    """
    strict = StrictCalls(tools)
    for piece in pieces:
        if not piece:
            yield []
        events = [event for event in piece.split(b"\n\n") if event]
        for start in range(0, len(events), _PORTION):
            found = [each for event in events[start : start + _PORTION] if (each := data_of(event))]
            try:
                for each in found:
                    strict.follow(each)
            except AnswerFailed:
                # Before the client sees the failure: it may ask for the record at once.
                exchange.cancel()
                raise
            if found:
                yield found
            time.sleep(0)


def _until_cut(events: list[Any], cut: Cut) -> Iterator[Event]:
    for event in events:
        if isinstance(event, TextDelta):
            if text := cut.feed(event.text):
                yield TextDelta(text)
            if cut.reason:
                return
        else:
            yield event
