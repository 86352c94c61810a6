"""ALLOWED_HOSTS: the host names under which the gateway is served."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, request

from app.errors import HostNotAllowed


def install(app: Flask, allowed_hosts: Sequence[str]) -> None:
    """Refuse requests for other hosts; an empty list allows all.

    This stops web pages whose host name was made to resolve to this machine (DNS rebinding).
    """

    @app.before_request
    def check_host() -> None:
        if allowed_hosts and _host_name(request.host) not in allowed_hosts:
            raise HostNotAllowed


def _host_name(host: str) -> str:
    """The host without its port; empty if it is malformed.

    >>> _host_name("[::1]:8000"), _host_name("Example.org"), _host_name("example.org:x")
    ('::1', 'example.org', '')
    """
    try:
        parts = urlsplit(f"//{host}")
        # Raises ValueError if it is not a number.
        _ = parts.port
    except ValueError:
        return ""
    return parts.hostname or ""
