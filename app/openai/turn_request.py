"""The turn that a chat completion asks for, without OpenAI's format."""

from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import Headers

from app.conversation import options
from app.conversation.errors import BadParameter
from app.conversation.turn_request import TurnRequest
from app.openai.chat_body import CompletionRequest

#: The parameter of the body that has the gateway's options.
OPTIONS = "claude"


def to_turn_request(
    completion: CompletionRequest, headers: Headers, *, options_in_prompts: bool
) -> TurnRequest:
    """The turn for a completion. Raises BadParameter and InvalidRequest.

    An option in the body overrides the same one in a header, and that overrides one in a prompt,
    where options are allowed with `options_in_prompts`.
    """
    messages = [message.neutral() for message in completion.messages]
    found: dict[str, Any] = {}
    prompt_messages = messages
    if options_in_prompts:
        found, prompt_messages = options.from_messages(messages)
    found.update(options.from_headers(headers.items()))
    found.update(options.from_json(completion.claude or {}, OPTIONS))
    resolved = options.resolve(found, OPTIONS)
    session = _session(completion, headers, resolved.fields.pop("session_id", None))
    answer_format = completion.response_format
    return TurnRequest(
        completion.model,
        messages,
        prompt_messages,
        resolved,
        session,
        None if answer_format is None else answer_format.answer_schema(),
        completion.client_tools(),
        completion.token_limit(),
        web_search=completion.web_search_options is not None,
        streamed=completion.stream is True,
    )


def _session(completion: CompletionRequest, headers: Headers, option: object) -> str | None:
    """The session that the request names in any of the possible ways. Raises BadParameter."""
    names: Mapping[str, object] = {
        "claude.session_id": option,
        "X-Session-ID": headers.get("X-Session-ID"),
        "metadata.session_id": (completion.metadata or {}).get("session_id"),
        "conversation_id": completion.conversation_id,
        "session_id": completion.session_id,
    }
    found: dict[str, str] = {}
    for name, value in names.items():
        if not value:
            continue
        if not isinstance(value, str) or not options.SESSION.fullmatch(value):
            raise BadParameter(name, f"{name} must be 1 to 200 visible ASCII characters")
        found[name] = value
    if len(set(found.values())) > 1:
        raise BadParameter(list(found)[-1], f"{' and '.join(found)} name different sessions")
    return next(iter(found.values()), None)
