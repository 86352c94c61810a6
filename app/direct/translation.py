"""The translation between a chat API's request and the model's API. Pure.

The request is without any API's format (`app.conversation.messages`); the answer becomes events
without one (`app.conversation.events`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.cli.lines import as_object
from app.conversation.client_tools import ClientTools
from app.conversation.errors import BadParameter
from app.conversation.events import AnswerEvent, AnswerStart, CallDelta, CallStart, TextDelta
from app.conversation.messages import Message, split_system_prompt
from app.conversation.model_messages import Block, model_messages
from app.conversation.usage import TokenUsage, usage_of

#: The most tokens of an answer whose client names no limit: the model's API needs one.
MOST_TOKENS = 16_384
#: The same for the models of the third generation, which have no more.
MOST_TOKENS_3 = 8192
_BETWEEN_BLOCKS = "\n\n"
#: The schema of an answer that is any JSON object, which the model's API does not take.
_ANY_OBJECT = {"type": "object"}
_ONE_OBJECT = "Answer with one JSON object, and with nothing before or after it."
_WEB_SEARCH = {"type": "web_search_20250305", "name": "web_search"}
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}

# OpenAI's temperatures go up to 2, those of the model's API to 1.
_HIGHEST_TEMPERATURE = 1.0
#: The efforts of OpenAI's clients, as the CLI and the model's API name them; `none` is none at all.
EFFORTS = {
    **{name: name for name in ("low", "medium", "high", "xhigh", "max")},
    "minimal": "low",
}


class Asked(NamedTuple):
    """What a request asks for. `sampling` has parameters of the model's API as they are."""

    model: str
    messages: Sequence[Message]
    images: Mapping[str, Block]
    tools: ClientTools | None
    schema: Mapping[str, Any] | None
    max_tokens: int | None
    stops: Sequence[str]
    web_search: bool
    sampling: Mapping[str, Any]


def message_body(asked: Asked) -> dict[str, Any]:
    """The body of a request to the model's API, for a stream. Raises BadParameter."""
    system, messages = split_system_prompt(asked.messages)
    history, last = model_messages(messages, asked.images)
    if not last:
        raise BadParameter("messages", "There is no text or image to answer")
    sent = [{"role": role, "content": blocks} for role, blocks in history]
    body: dict[str, Any] = {
        "model": asked.model,
        "max_tokens": asked.max_tokens or _most_tokens(asked.model),
        "stream": True,
        "messages": [*sent, {"role": "user", "content": last}],
        **asked.sampling,
    }
    if asked.schema == _ANY_OBJECT:
        system = f"{system}\n\n{_ONE_OBJECT}" if system else _ONE_OBJECT
    elif asked.schema is not None:
        answer_format = {"type": "json_schema", "schema": asked.schema}
        body["output_config"] = {**as_object(body.get("output_config")), "format": answer_format}
    if system:
        body["system"] = system
    tools = [*_tools(asked.tools), *([_WEB_SEARCH] if asked.web_search else [])]
    if tools:
        body["tools"] = tools
    if asked.tools is not None and tools:
        body["tool_choice"] = _choice(asked.tools)
    if stops := [stop for stop in asked.stops if stop.strip()]:
        body["stop_sequences"] = stops
    return body


def _most_tokens(model: str) -> int:
    return MOST_TOKENS_3 if model.startswith("claude-3-") else MOST_TOKENS


def _tools(tools: ClientTools | None) -> list[dict[str, Any]]:
    return [
        {
            "name": tool.name,
            **({"description": tool.description} if tool.description else {}),
            "input_schema": {"type": "object", "properties": {}, **(tool.parameters or {})},
        }
        for tool in (tools.tools if tools else ())
    ]


def _choice(tools: ClientTools) -> dict[str, Any]:
    choice: dict[str, Any] = {"type": _CHOICES[tools.choice.kind]}
    if tools.choice.name is not None:
        choice["name"] = tools.choice.name
    if not tools.parallel and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    return choice


def sampling_of(extra: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The parameters of the model's API for those of OpenAI's, and the names of the latter.

    Some models take only one of temperature and top_p, and the first is what clients mean.
    """
    found: dict[str, Any] = {}
    heeded = set()
    temperature, top_p = extra.get("temperature"), extra.get("top_p")
    if isinstance(temperature, int | float) and not isinstance(temperature, bool):
        found["temperature"] = min(temperature, _HIGHEST_TEMPERATURE)
        heeded.add("temperature")
    is_number = isinstance(top_p, int | float) and not isinstance(top_p, bool)
    if is_number and "temperature" not in found:
        found["top_p"] = top_p
        heeded.add("top_p")
    effort = extra.get("reasoning_effort")
    if isinstance(effort, str) and effort in EFFORTS:
        found["output_config"] = {"effort": EFFORTS[effort]}
        heeded.add("reasoning_effort")
    return found, heeded


class AnswerTranslator:
    """Translates the events of a stream of the model's API, one after the other."""

    def __init__(self) -> None:
        self.stop_reason = "end_turn"
        self._usage: dict[str, Any] = {}
        self._has_text = self._needs_separator = False
        self._in_call = self._call_is_empty = False

    def feed(self, fields: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        """The translation of one event."""
        kind = fields.get("type")
        if kind == "message_start":
            message = as_object(fields.get("message"))
            self._usage.update(as_object(message.get("usage")))
            yield AnswerStart(str(message.get("model")), None)
        elif kind == "content_block_start":
            yield from self._begin_block(as_object(fields.get("content_block")))
        elif kind == "content_block_delta":
            yield from self._add_delta(as_object(fields.get("delta")))
        elif kind == "content_block_stop":
            if self._in_call and self._call_is_empty:
                yield CallDelta("{}")
            self._in_call = False
        elif kind == "message_delta":
            counts = as_object(fields.get("usage"))
            self._usage.update({name: n for name, n in counts.items() if n is not None})
            reason = as_object(fields.get("delta")).get("stop_reason")
            self.stop_reason = reason if isinstance(reason, str) else self.stop_reason

    def usage(self) -> TokenUsage:
        """The tokens of the answer so far."""
        return usage_of({"usage": self._usage}, ())

    def _begin_block(self, block: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        self._needs_separator = self._has_text
        self._in_call = block.get("type") == "tool_use"
        if self._in_call:
            self._call_is_empty = True
            yield CallStart(str(block.get("id")), str(block.get("name")))
            if given := block.get("input"):
                self._call_is_empty = False
                yield CallDelta(json.dumps(given))

    def _add_delta(self, delta: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        text = delta.get("text")
        part = delta.get("partial_json")
        if delta.get("type") == "text_delta" and isinstance(text, str) and text:
            separator = _BETWEEN_BLOCKS if self._needs_separator else ""
            self._has_text, self._needs_separator = True, False
            yield TextDelta(separator + text)
        elif self._in_call and isinstance(part, str) and part:
            self._call_is_empty = False
            yield CallDelta(part)
