"""The turn that a request for a message asks for, without Anthropic's format."""

from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import Headers

from app.anthropic.message_body import MessageRequest
from app.conversation import options
from app.conversation.turn_request import TurnRequest

#: The parameter of the body that has the gateway's options.
OPTIONS = "claude"
# Headers that Claude Code sends as a client (2.1.330); they are no options.
_CLAUDE_CODE = "X-CLAUDE-CODE-"


def found_options(given: object, headers: Mapping[str, str]) -> dict[str, Any]:
    """The options in headers and in the parameter `claude`. Raises InvalidRequest.

    An option in the parameter overrides the same one in a header.
    """
    found = options.from_headers(
        (name, value)
        for name, value in headers.items()
        if not name.upper().startswith(_CLAUDE_CODE)
    )
    found.update(options.from_json(given if isinstance(given, dict) else {}, OPTIONS))
    return found


def to_turn_request(message: MessageRequest, headers: Headers) -> TurnRequest:
    """The turn for a request. Raises BadParameter and InvalidRequest."""
    found = found_options(message.claude, dict(headers.items()))
    if message.output_config and message.output_config.effort:
        found["effort"] = message.output_config.effort
    messages = message.conversation()
    resolved = options.resolve(found, OPTIONS)
    session = resolved.take_session(OPTIONS)
    return TurnRequest(
        message.model,
        messages,
        messages,
        resolved,
        session,
        message.answer_schema(),
        message.client_tools(),
        message.max_tokens,
        message.thinking_tokens(),
        streamed=message.stream is True,
    )
