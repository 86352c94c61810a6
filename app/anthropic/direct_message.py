"""The answer to `POST /v1/messages` by the direct backend: that of the model's API as it is."""

import json
from collections.abc import Generator, Iterator, Mapping
from functools import partial
from typing import Any

from flask import Response, after_this_request, request

from app import sse
from app.anthropic.errors import error_body
from app.anthropic.turn_request import OPTIONS, found_options
from app.auth.users import User
from app.cli.request_fields import title_of
from app.conversation.errors import BadParameter
from app.conversation.options import resolve
from app.direct.exchange import Exchange
from app.direct.service import Direct, DirectRequest, refuse_key
from app.errors import GatewayError
from app.http.answer_response import add_job_header, stream_when_begun
from app.http.disconnect import begins_at_once
from app.http.error_handlers import mark_job_started
from app.http.late_json import Value, late_json
from app.http.request_id import request_id

_PING = sse.event("ping", {"type": "ping"})
# Blocks with which clients remind the model of something, before the user's text.
_REMINDER = "<system-reminder>"


class DirectMessages:
    """Answers requests."""

    def __init__(self, direct: Direct, head_delay: float) -> None:
        self._direct = direct
        #: Seconds for which the head of an answer waits that is not streamed.
        self.head_delay = head_delay

    def answer(self, body: bytes, fields: Mapping[str, Any], user: User) -> Response | None:
        """The response to the current request; None if the CLI serves it.

        `fields` is what its body has. Raises BadParameter, InvalidRequest and what `Direct.begin`
        raises; and AnswerFailed if the model's API does not answer.
        """
        asked = self._asked(body, fields)
        if asked is None:
            return None
        refuse_key(request.headers.get("Idempotency-Key"))
        exchange = self._direct.begin(asked, user)
        mark_job_started(exchange.job.id)
        # Error responses have it, too.
        after_this_request(partial(add_job_header, exchange.job.id))
        pieces = self._pieces(exchange, user, request.environ)
        if asked.is_stream:
            stream_of = partial(self._stream, exchange, request_id())
            return stream_when_begun(stream_of, pieces, exchange.job.id)
        return late_json(_message(exchange, pieces), self.head_delay, pieces.close)

    def count(self, body: bytes, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """The tokens of the current request's conversation; None if the CLI would serve it.

        Raises BadParameter, InvalidRequest and what `Direct.count` raises.
        """
        asked = self._asked(body, fields)
        return None if asked is None else self._direct.count(asked, request.environ)

    def _asked(self, body: bytes, fields: Mapping[str, Any]) -> DirectRequest | None:
        """The current request for the model's API, or None."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        options = resolve(found_options(fields.get(OPTIONS), headers), OPTIONS)
        model = self._direct.choice.model_for(fields.get("model"), options)
        if model is None:
            return None
        stream = fields.get("stream")
        if stream not in (None, True, False):
            raise BadParameter("stream", "Must be true or false")
        text = _last_text(fields.get("messages"))
        chosen = self._direct.choice.values_of(options)
        if chosen.effort is not None:
            raise BadParameter("claude.effort", "Set output_config.effort instead")
        return DirectRequest(
            model=model,
            body=_forwarded(body, fields, model),
            is_stream=stream is True,
            headers=headers,
            query=request.query_string.decode("latin-1"),
            prompt_length=len(text),
            title=chosen.title or title_of(text) or None,
            timeout=chosen.timeout,
            request_id=request_id(),
        )

    @begins_at_once
    def _pieces(
        self, exchange: Exchange, user: User, environ: Mapping[str, Any]
    ) -> Generator[list[bytes]]:
        """The events of a stream, with signs of life; none otherwise. Raises AnswerFailed."""
        with self._direct.read(exchange, user, environ) as pieces:
            yield []
            for piece in pieces:
                yield [piece or _PING]
            error = exchange.error()
            if error is not None and not exchange.has_sent_error:
                raise error

    def _stream(
        self, exchange: Exchange, request_id: str, pieces: Iterator[list[bytes]]
    ) -> Iterator[bytes]:
        metrics = self._direct.jobs.metrics
        metrics.count_stream(1)
        try:
            for batch in pieces:
                yield b"".join(batch)
        except GatewayError as error:
            yield sse.event("error", error_body(error, request_id))
        finally:
            metrics.count_stream(-1)


def _message(exchange: Exchange, pieces: Iterator[list[bytes]]) -> Value:
    """The message that is not streamed, after signs of life. Raises AnswerFailed."""
    for _ in pieces:
        yield
    return exchange.message


def _forwarded(body: bytes, fields: Mapping[str, Any], model: str) -> bytes:
    """The body for the model's API: the client's own, unless something in it must be another."""
    if fields.get("model") == model and OPTIONS not in fields and _is_utf_8(body):
        return body
    forwarded = {name: value for name, value in fields.items() if name != OPTIONS}
    return json.dumps({**forwarded, "model": model}, ensure_ascii=False).encode()


def _is_utf_8(body: bytes) -> bool:
    return json.detect_encoding(body) == "utf-8"


def _last_text(messages: object) -> str:
    """The last text of the user in messages of any form."""
    for message in reversed(messages if isinstance(messages, list) else []):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(message, dict) or message.get("role") != "user":
            continue
        blocks = [{"text": content}] if isinstance(content, str) else content
        for block in reversed(blocks if isinstance(blocks, list) else []):
            text = block.get("text") if isinstance(block, dict) else None
            if isinstance(text, str) and text.strip() and not text.startswith(_REMINDER):
                return text
    return ""
