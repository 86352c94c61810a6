"""The credentials with which a request goes to the model's API."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from app.cli.credentials import login_in
from app.conversation.errors import AnswerFailed
from app.direct.refresh import Refresher

#: A header of the model's API that names its optional features.
BETA_HEADER = "anthropic-beta"
# What the model's API wants with a token of an account.
_OAUTH_BETA = "oauth-2025-04-20"
# How a token of an account begins, unlike a key.
_TOKEN = "sk-ant-oat"  # noqa: S105 - not a secret
_NO_KEY = (
    "There is no key for the model's API; the operator can set ANTHROPIC_API_KEY, or leave the"
    " model out of DIRECT_MODELS"
)
_NO_LOGIN = (
    "There is neither ANTHROPIC_API_KEY nor CLAUDE_ACCESS_TOKEN, and the Claude Code CLI is not"
    " logged in on the gateway's machine"
)
_EXPIRED = (
    "The login of the Claude Code CLI has expired, and the CLI has not refreshed it; its operator"
    " can run claude there"
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
    """The operator's credentials: a key, and without one the tokens, where they are allowed.

    The CLI's own login is read anew for each request, because the CLI refreshes it.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        access_token: str,
        refresher: Refresher | None,
    ) -> None:
        """`environment` is the CLI's. Without a `refresher`, no token is used."""
        self._environment = environment
        key = environment.get("ANTHROPIC_API_KEY", "").strip()
        is_token = key.startswith(_TOKEN)
        self._key = "" if is_token else key
        self._token = access_token or (key if is_token else "")
        self._refresher = refresher

    def current(self) -> Credential:
        """The credentials for a request. Raises AnswerFailed if there are none."""
        if self._key:
            return Credential(self._key, is_token=False)
        if self._refresher is None:
            raise AnswerFailed("not_logged_in", _NO_KEY)
        return Credential(self._token or self._login(self._refresher), is_token=True)

    def _login(self, refresher: Refresher) -> str:
        """The token of the CLI's login, after a refresh if it has expired."""
        login = login_in(self._environment)
        if login is not None:
            refresher.start_if_due(login.expires_at)
            if login.expires_at <= time.time():
                refresher.wait()
                login = login_in(self._environment)
        if login is None:
            raise AnswerFailed("not_logged_in", _NO_LOGIN)
        if login.expires_at <= time.time():
            raise AnswerFailed("not_logged_in", _EXPIRED)
        return login.token
