"""The hints in errors for wrong paths of OpenAI's API and similar ones. Pure."""

import re

_SERVED = (
    "POST /v1/chat/completions, /v1/responses, POST /v1/messages, GET /v1/models and"
    " /v1/conversations"
)
_BASE_URL = (
    "The base URL of OpenAI's clients must end in /v1, once and with nothing after it, as in"
    " http://127.0.0.1:9876/v1"
)
# The beginnings of paths after the base URL: those that exist, and those of other APIs.
_EXISTING = re.compile(r"/(chat/completions|responses|models|conversations)(?=/|$)")
_OTHERS = re.compile(
    "/(completions|embeddings|engines|edits|moderations|images|audio|files"
    "|uploads|batches|assistants|threads|fine_tuning|vector_stores|realtime|complete)(?=/|$)"
)
_PREFIX = re.compile(r"(/v1|/v1beta|/api|/openai|/anthropic|/deployments/[^/]+)*")
_LONGEST = 1000


def hint_for(path: str) -> str | None:
    """The hint for a path that does not exist, or None if it is not of such an API.

    >>> hint_for("/chat/completions") == hint_for("/v1/v1/models") == _BASE_URL
    True
    >>> hint_for("/jobs/models"), hint_for("/x")
    (None, None)
    """
    # A base URL that ends in a slash makes two of them.
    cut = re.sub("/{2,}", "/", path[:_LONGEST])
    rest = cut[_PREFIX.match(cut).end() :]  # type: ignore[union-attr]  # it also matches the empty string
    if _EXISTING.match(rest):
        return None if _is_served(path) else _BASE_URL
    found = _OTHERS.match(rest)
    if found:
        return f"This gateway has no {found[1]} API; it serves {_SERVED}"
    return f"This gateway serves {_SERVED}" if f"{path}/".startswith("/v1/") else None


def _is_served(path: str) -> bool:
    """Whether the path is right and something else is wrong, such as the method."""
    return (
        re.fullmatch(
            "/v1/(chat/completions|responses(/[^/]*(/cancel|/input_items)?)?|models(/.*)?"
            "|conversations(/[^/]*)?)",
            path,
        )
        is not None
    )
