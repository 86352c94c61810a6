"""The hints in errors for wrong paths of Anthropic's API. Pure."""

import re

_SERVED = "POST /v1/messages, POST /v1/messages/count_tokens and GET /v1/models"
_BASE_URL = (
    "The base URL of Anthropic's clients is that of the gateway alone, without /v1, as in"
    " http://127.0.0.1:9876"
)
_MESSAGES = re.compile("(/[a-z0-9/_-]*)?/messages(/count_tokens)?")
_OTHERS = re.compile("/v1/(messages/batches|complete)(/.*)?")
_LONGEST = 1000


def hint_for(path: str) -> str | None:
    """The hint for a path that does not exist, or None if no client of that API asks for it.

    >>> hint_for("/v1/v1/messages") == hint_for("/messages") == _BASE_URL
    True
    >>> hint_for("/v1/messages/batches")[:28], hint_for("/jobs/x/messages")
    ('This gateway has no messages', None)
    """
    path = re.sub("/{2,}", "/", path[:_LONGEST])
    if path in ("/v1/messages", "/v1/messages/count_tokens") or path.startswith("/jobs/"):
        return None
    if found := _OTHERS.fullmatch(path):
        return f"This gateway has no {found[1]}; of Anthropic's API it serves {_SERVED}"
    return _BASE_URL if _MESSAGES.fullmatch(path) else None
