"""The credentials with which a request goes to the model's API."""

from collections.abc import Mapping
from typing import NamedTuple

from app.conversation.errors import AnswerFailed

#: A header of the model's API that names its optional features.
BETA_HEADER = "anthropic-beta"
# What the model's API wants with a token of an account.
_OAUTH_BETA = "oauth-2025-04-20"
# How a token of an account begins, unlike a key.
_TOKEN = "sk-ant-oat"  # noqa: S105 - not a secret
_MISSING = (
    "There is no key for the model's API; the operator can set ANTHROPIC_API_KEY in .env"
    " (see DIRECT_MODELS)"
)


class Credential(NamedTuple):
    """A key, or a token of an account."""

    text: str
    is_token: bool

    def headers(self, betas: str) -> dict[str, str]:
        """The headers of a request that wants these optional features, separated by commas.

        >>> Credential("a", True).headers("b")
        {'Authorization': 'Bearer a', 'anthropic-beta': 'oauth-2025-04-20,b'}
        """
        if self.is_token:
            wanted = ",".join(filter(None, (_OAUTH_BETA, betas)))
            return {"Authorization": f"Bearer {self.text}", BETA_HEADER: wanted}
        return {"x-api-key": self.text, **({BETA_HEADER: betas} if betas else {})}


class Credentials:
    """The operator's credentials."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` is the CLI's."""
        self._key = environment.get("ANTHROPIC_API_KEY", "")

    def current(self) -> Credential:
        """The credentials for a request. Raises AnswerFailed if there are none."""
        if self._key and not self._key.startswith(_TOKEN):
            return Credential(self._key, is_token=False)
        raise AnswerFailed("not_logged_in", _MISSING)
