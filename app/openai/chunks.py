"""A completion as it is sent: chunks of an event stream, or one object. Pure."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

#: The last event of a stream that is whole.
DONE = b"data: [DONE]\n\n"


class Head(NamedTuple):
    """What every chunk of a completion says of it."""

    id: str
    created: int
    model: str
    fingerprint: str
    session_id: str | None


class Chunks:
    """Writes the chunks of one completion.

    With `with_usage` each chunk has a `usage`, which is null but for the last one.
    """

    def __init__(self, head: Head, with_usage: bool) -> None:
        self._with_usage = with_usage
        self._head = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
            "system_fingerprint": head.fingerprint,
        }
        self._session = {"session_id": head.session_id, "conversation_id": head.session_id}
        before = json.dumps(self._head, separators=(",", ":"))[:-1]
        if with_usage:
            before += ',"usage":null'
        self._before = f'data: {before},"choices":[{{"index":0,"delta":'.encode()
        self._after = b',"logprobs":null,"finish_reason":null}]'

    def begin(self) -> bytes:
        """The first chunk: who speaks, in which session."""
        session = json.dumps(self._session, separators=(",", ":"))[1:-1].encode()
        delta = b'{"role":"assistant","content":"","refusal":null}'
        return self._before + delta + self._after + b"," + session + b"}\n\n"

    def text(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._before + b'{"content":%b}' % json.dumps(text).encode() + self._after + b"}\n\n"

    def line(self, fields: Mapping[str, Any]) -> bytes:
        """What the agent did, in a field of our own."""
        line = json.dumps(fields, separators=(",", ":")).encode()
        return self._before + b"{}" + self._after + b',"claude":' + line + b"}\n\n"

    def finish(self, reason: str) -> bytes:
        """The last piece: why the answer ends."""
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self._with_usage else {}
        return _event({**self._head, **usage, "choices": [choice], **self._session})

    def usage(self, usage: Mapping[str, Any]) -> bytes:
        """What it took; nothing if the client did not ask for it."""
        return _event({**self._head, "choices": [], "usage": usage}) if self._with_usage else b""


def whole(
    head: Head, text: str, reason: str, usage: Mapping[str, Any], lines: list[Any] | None
) -> dict[str, Any]:
    """The completion in one object. `lines` is what the agent did, if that was asked for."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if lines is not None:
        message["claude"] = lines
    return {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": usage,
        "system_fingerprint": head.fingerprint,
        "session_id": head.session_id,
        "conversation_id": head.session_id,
    }


def failure(error: Mapping[str, Any]) -> bytes:
    """What ends a stream that cannot go on: the SDKs raise when they see it."""
    return _event({"error": error})


def _event(fields: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(fields, separators=(',', ':'))}\n\n".encode()
