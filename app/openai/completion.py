"""The wire format of a completion: chunks of an event stream, or one object. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.conversation.messages import ToolCall
from app.conversation.usage import TokenUsage

# OpenAI's finish reasons for the stop reasons of the model's API; any other one is "stop".
_FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "tool_use": "tool_calls",
}
#: The last event of a complete stream.
DONE = b"data: [DONE]\n\n"


class CompletionHead(NamedTuple):
    """The fields that all chunks of a completion have."""

    id: str
    created: int
    model: str
    fingerprint: str
    session_id: str | None


class ChunkWriter:
    """Writes the chunks of one completion.

    With `with_usage` each chunk has a `usage`, which is null in all but the last one.
    """

    def __init__(self, head: CompletionHead, with_usage: bool) -> None:
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
        """The first chunk, with the role and the session."""
        session = json.dumps(self._session, separators=(",", ":"))[1:-1].encode()
        delta = b'{"role":"assistant","content":"","refusal":null}'
        return self._before + delta + self._after + b"," + session + b"}\n\n"

    def text(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._before + b'{"content":%b}' % json.dumps(text).encode() + self._after + b"}\n\n"

    def call(self, index: int, call_id: str, name: str) -> bytes:
        """The beginning of the call with this index in the answer."""
        function = {"name": name, "arguments": ""}
        return self._calls(
            {"index": index, "id": call_id, "type": "function", "function": function}
        )

    def arguments(self, index: int, text: str) -> bytes:
        """A piece of a call's arguments."""
        return self._calls({"index": index, "function": {"arguments": text}})

    def _calls(self, call: Mapping[str, Any]) -> bytes:
        delta = json.dumps({"tool_calls": [call]}, separators=(",", ":")).encode()
        return self._before + delta + self._after + b"}\n\n"

    def line(self, fields: Mapping[str, Any]) -> bytes:
        """A line of the CLI, in the field `claude`."""
        line = json.dumps(fields, separators=(",", ":")).encode()
        return self._before + b"{}" + self._after + b',"claude":' + line + b"}\n\n"

    def finish(self, reason: str) -> bytes:
        """The last chunk of the answer, with its finish reason."""
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self._with_usage else {}
        return _event({**self._head, **usage, "choices": [choice], **self._session})

    def usage(self, usage: Mapping[str, Any]) -> bytes:
        """The chunk with the usage; nothing if the client did not ask for it."""
        return _event({**self._head, "choices": [], "usage": usage}) if self._with_usage else b""


def completion_object(
    head: CompletionHead,
    text: str,
    calls: Sequence[ToolCall],
    reason: str,
    usage: Mapping[str, Any],
    lines: list[Any] | None,
) -> dict[str, Any]:
    """The whole completion. `lines` are the CLI's lines, if the client asked for them."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if calls:
        message["content"] = text or None
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
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


def error_chunk(error: Mapping[str, Any]) -> bytes:
    """The last event of a stream that fails; the SDKs raise an exception for it."""
    return _event({"error": error})


def finish_reason(stop_reason: str) -> str:
    """OpenAI's finish reason for a stop reason of the model's API.

    >>> finish_reason("max_tokens"), finish_reason("end_turn")
    ('length', 'stop')
    """
    return _FINISH_REASONS.get(stop_reason, "stop")


def usage_object(usage: TokenUsage) -> dict[str, Any]:
    """The usage in OpenAI's form, in which the prompt includes tokens of the cache.

    >>> usage = usage_object(TokenUsage(5, 2, 9, 0, 1))
    >>> usage["prompt_tokens"], usage["total_tokens"], usage["prompt_tokens_details"]
    (14, 16, {'cached_tokens': 9})
    """
    prompt = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
    }


def _event(fields: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(fields, separators=(',', ':'))}\n\n".encode()
