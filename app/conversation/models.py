"""The models that the face offers, and what they are to the CLI."""

from collections.abc import Sequence
from typing import Any

from app.conversation.errors import ModelNotFound

#: The name that stands for the gateway's default model.
DEFAULT = "claude-code"


class Models:
    """The operator's list; any other full name of a Claude model is the CLI's to judge."""

    def __init__(self, names: Sequence[str], since: int) -> None:
        """`since` is what clients are told as the time of the models' making (Unix)."""
        self._names = names
        self._since = since

    def rows(self) -> list[dict[str, Any]]:
        """All, as `GET /v1/models` tells them."""
        return [self._row(name) for name in self._names]

    def row(self, name: str) -> dict[str, Any]:
        """One. Raises ModelNotFound."""
        self.check(name)
        return self._row(name)

    def check(self, name: str) -> None:
        """Raises ModelNotFound for a name that no model of the CLI's can have."""
        if name not in self._names and not name.startswith("claude-"):
            raise ModelNotFound(name)

    def _row(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": "anthropic"}
