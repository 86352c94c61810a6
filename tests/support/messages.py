"""Messages of a conversation."""

from typing import Any

from app.conversation.messages import Message
from app.openai.chat_messages import Message as ChatMessage


def messages_of(*messages: tuple[str, Any]) -> list[Message]:
    """Messages of these roles and contents."""
    sent = [{"role": role, "content": text} for role, text in messages]
    return [ChatMessage.model_validate(message).neutral() for message in sent]
