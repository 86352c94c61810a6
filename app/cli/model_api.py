"""The address of the model's API. Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from app.errors import ConfigurationError

#: The variable with the address, which the CLI reads, too.
VARIABLE = "ANTHROPIC_BASE_URL"
_DEFAULT = "https://api.anthropic.com"


def base_url(environment: Mapping[str, str]) -> str:
    """The base URL, without a slash at its end; `environment` is the CLI's.

    Raises ConfigurationError if it is not one that the gateway can use itself.

    >>> base_url({})
    'https://api.anthropic.com'
    """
    url = environment.get(VARIABLE) or _DEFAULT
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or parts.query or parts.fragment or parts.username:
        raise ConfigurationError(
            f"cannot use {VARIABLE} for DIRECT_MODELS: it must be a URL like https://example.org,"
            " without a user, a query or a fragment"
        )
    return url.rstrip("/")
