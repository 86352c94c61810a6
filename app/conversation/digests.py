"""What a conversation was up to each of its messages, as digests. Pure.

Two conversations with the same digest said the same, in the same words, to the same CLI: so
the session that one of them left can go on with the other.
"""

import hashlib
import json
from collections.abc import Sequence

from app.conversation.messages import ImagePart, Message


def begin(user: str, cwd: str, system: str) -> str:
    """The digest of a conversation before its first message."""
    return _digest("", [user, cwd, system])


def add(digest: str, message: Message) -> str:
    """The digest after one more message."""
    return _digest(digest, _said(message))


def add_answer(digest: str, answer: str) -> str:
    """The digest after an answer of ours, as the client will send it back."""
    content = [{"type": "text", "text": answer}] if answer else []
    return add(digest, Message.model_validate({"role": "assistant", "content": content}))


def digests(digest: str, messages: Sequence[Message]) -> list[str]:
    """The digests after each of these messages."""
    after = []
    for message in messages:
        digest = add(digest, message)
        after.append(digest)
    return after


def _said(message: Message) -> list[object]:
    """What counts of a message: a text counts the same, in however many parts it comes."""
    said: list[object] = [message.role, message.name]
    for part in message.content:
        if isinstance(part, ImagePart):
            said.append({"image": part.image_url.url})
        elif isinstance(said[-1], list):
            said[-1].append(part.model_dump())
        else:
            said.append([part.model_dump()])
    if message.tool_calls:
        said.append({"calls": message.tool_calls})
    return [_text(part) if isinstance(part, list) else part for part in said]


def _text(parts: Sequence[dict[str, str]]) -> str:
    return "".join(part.get("text") or part.get("refusal") or "" for part in parts)


def _digest(before: str, fact: object) -> str:
    text = json.dumps([before, fact], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
