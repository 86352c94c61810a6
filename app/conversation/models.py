"""The models that clients can ask for. Pure."""

from collections.abc import Sequence

from app.conversation.errors import ModelNotFound

#: The name of the gateway's default model.
DEFAULT = "claude-code"


class Models:
    """The operator's list of models; the CLI decides about any other name of a Claude model."""

    def __init__(self, names: Sequence[str], created: int) -> None:
        """`created` is the Unix time that clients get as the models' creation time."""
        self.names = names
        self.created = created

    def check(self, name: str) -> None:
        """Raises ModelNotFound if no model can have this name."""
        if name not in self.names and not name.startswith("claude-"):
            raise ModelNotFound(name)
