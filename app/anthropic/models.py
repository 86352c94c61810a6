"""`GET /v1/models` in the format of Anthropic's API. Pure."""

from datetime import UTC, datetime
from typing import Any

from app.conversation.models import Models


def model_list(models: Models) -> dict[str, Any]:
    """All models, on one page."""
    rows = [model_row(models, name) for name in models.names]
    return {
        "data": rows,
        "has_more": False,
        "first_id": rows[0]["id"],
        "last_id": rows[-1]["id"],
    }


def model_row(models: Models, name: str) -> dict[str, Any]:
    """One model."""
    created = datetime.fromtimestamp(models.created, UTC)
    return {
        "type": "model",
        "id": name,
        "display_name": display_name(name),
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def display_name(name: str) -> str:
    """A model's name for people.

    >>> display_name("claude-opus-5-5"), display_name("sonnet")
    ('Claude Opus 5.5', 'Sonnet')
    """
    words: list[str] = []
    for word in name.split("-"):
        if word.isdigit() and words and words[-1].replace(".", "").isdigit() and len(word) < 3:
            words[-1] += f".{word}"
        else:
            words.append(word.capitalize())
    return " ".join(words)
