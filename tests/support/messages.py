"""Messages of a conversation."""

from typing import Any

from app.conversation.messages import Message


def said(*messages: tuple[str, Any]) -> list[Message]:
    """Messages of these roles and contents."""
    return [Message.model_validate({"role": role, "content": text}) for role, text in messages]
