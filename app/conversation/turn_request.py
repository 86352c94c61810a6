"""A client's request for a turn, in the terms that all chat APIs share."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.conversation.client_tools import ClientTools
from app.conversation.messages import Message
from app.conversation.options import Options


class TurnRequest(NamedTuple):
    """A client's request, in the terms that all chat APIs share.

    `messages` is the whole conversation as the client sent it, and `prompt_messages` the same
    without options in prompts. `session` is a session's id or a client's own name for one.
    `schema` is the JSON Schema of a structured answer. `tools` are those of the client, of which
    there may be none; None if the request does not speak of any. With `web_search`, the CLI's own
    tool for that is allowed. An answer has at most `max_tokens`, and at most `thinking` tokens of
    thought: 0 for none, None for as many as the CLI wants.
    """

    model: str | None
    messages: Sequence[Message]
    prompt_messages: Sequence[Message]
    options: Options
    session: str | None
    schema: Mapping[str, Any] | None
    tools: ClientTools | None = None
    max_tokens: int | None = None
    thinking: int | None = None
    web_search: bool = False
    streamed: bool = False
