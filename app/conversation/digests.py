"""The digests of a conversation, one after each of its messages. Pure.

Two conversations with the same digest have the same words, user and folder: so the session of one
can continue the other. Their system prompts may differ: clients put the time into it.
"""

import hashlib
import json
from collections.abc import Sequence
from itertools import groupby

from app.conversation.messages import BlockPart, ImagePart, Message, Part, TextPart, ToolCall
from app.json_depth import is_deep


def start_digest(user: str, cwd: str, system: str | None = None) -> str:
    """The digest of a conversation before its first message, with `system` if that is fixed."""
    return _digest("", [user, cwd, *([] if system is None else [system])])


def add_message(digest: str, message: Message) -> str:
    """The digest after one more message."""
    return _digest(digest, _content(message))


def add_answer(digest: str, answer: str, calls: Sequence[ToolCall] = ()) -> str:
    """The digest after the gateway's answer, as the client will send it back."""
    parts = [TextPart(answer)] if answer else []
    return add_message(digest, Message("assistant", parts, None, calls))


def digests_of(digest: str, messages: Sequence[Message]) -> list[str]:
    """The digest after each of these messages."""
    digests = []
    for message in messages:
        digest = add_message(digest, message)
        digests.append(digest)
    return digests


def _content(message: Message) -> list[object]:
    """What is compared of a message. Adjacent texts count as one.

    Some clients do not send back what the model thought.
    """
    content: list[object] = [message.role, message.name]
    compared = [p for p in message.parts if not (isinstance(p, BlockPart) and p.is_thinking)]
    for is_text, parts in groupby(compared, lambda part: isinstance(part, TextPart)):
        if is_text:
            content.append("".join(part.text for part in parts if isinstance(part, TextPart)))
        else:
            content += [_other(part) for part in parts]
    if message.call_id is not None:
        content.append({"result of": message.call_id})
    if message.is_error:
        content.append("error")
    if message.tool_calls:
        content.append({"calls": [_call(call) for call in message.tool_calls]})
    return content


def _other(part: Part) -> dict[str, object]:
    if isinstance(part, ImagePart):
        return {"image": part.url}
    return {"block": part.block if isinstance(part, BlockPart) else part.text}


def _call(call: ToolCall) -> object:
    """What is compared of a call: clients write the arguments' JSON anew."""
    if call.name is None:
        return call.source
    try:
        arguments = json.loads(call.arguments or "{}")
        if is_deep(arguments):
            arguments = call.arguments
    except (ValueError, RecursionError):
        arguments = call.arguments
    return [call.id, call.name, arguments]


def _digest(before: str, fact: object) -> str:
    text = json.dumps([before, fact], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
