"""The models that clients can ask for. Pure."""

from collections.abc import Mapping, Sequence

from app.conversation.errors import ModelNotFound

#: The name of the gateway's default model.
DEFAULT = "claude-code"
# What clients of several providers put before a model's name.
_PREFIXES = ("openai/", "anthropic/", "claude-code/")


class Models:
    """The operator's list of models; the CLI decides about any other name of a Claude model."""

    def __init__(self, names: Sequence[str], aliases: Mapping[str, str], created: int) -> None:
        """`aliases` has the model for each other name that clients may use.

        `created` is the Unix time that clients get as the models' creation time.
        """
        self.names = names
        self.created = created
        self._aliases = aliases

    def resolve(self, name: str) -> str:
        """The CLI's name of the model that a client asks for; empty for the default model.

        An alias is replaced, and the prefix of a provider is taken off. Raises ModelNotFound if no
        model can have this name.

        >>> models = Models(["opus"], {"gpt-4o": "opus"}, 0)
        >>> models.resolve("openai/gpt-4o"), models.resolve("claude-code")
        ('opus', '')
        """
        found = self.full_name(name)
        if found in ("", DEFAULT):
            return ""
        if found not in self.names and not found.startswith("claude-"):
            raise ModelNotFound(name)
        return found

    def full_name(self, name: str) -> str:
        """The name behind an alias and without the prefix of a provider, whatever model it is.

        >>> Models([], {"fast": "anthropic/claude-haiku-4-5"}, 0).full_name("openai/fast")
        'claude-haiku-4-5'
        """
        found = self._aliases.get(name, name)
        found = _without_prefix(found)
        return _without_prefix(self._aliases.get(found, found))


def _without_prefix(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
