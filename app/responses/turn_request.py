"""The turn that a request for a response asks for, without OpenAI's format."""

from collections.abc import Sequence

from werkzeug.datastructures import Headers

from app.conversation import options
from app.conversation.messages import Message, TextPart
from app.conversation.turn_request import TurnRequest
from app.responses.input_items import InputItem, to_messages
from app.responses.request_body import ResponseRequest
from app.responses.tools import RequestTools

#: The parameter of the body that has the gateway's options.
OPTIONS = "claude"


def to_turn_request(
    request: ResponseRequest,
    before: Sequence[InputItem],
    tools: RequestTools,
    headers: Headers,
) -> TurnRequest:
    """The turn for a request, whose conversation begins with the items `before`.

    Raises BadParameter and InvalidRequest.
    """
    found = options.from_headers(headers.items())
    found.update(options.from_json(request.claude or {}, OPTIONS))
    if (effort := request.effort()) is not None:
        found["effort"] = effort
    resolved = options.resolve(found, OPTIONS)
    session = resolved.take_session(OPTIONS)
    messages = to_messages([*before, *request.input], tools.offered_name)
    if request.instructions:
        messages.insert(0, Message("system", [TextPart(request.instructions)]))
    return TurnRequest(
        request.model,
        messages,
        messages,
        resolved,
        session,
        request.answer_schema(),
        tools.offered,
        request.max_output_tokens,
        request.thinking_tokens(),
        streamed=request.stream is True,
    )
