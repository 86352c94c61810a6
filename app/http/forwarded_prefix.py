"""X-Forwarded-Prefix: the path below which a proxy serves the gateway."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from flask import Request

from app.client_address import is_proxy

_VALID = re.compile(r"(/[A-Za-z0-9._~-]{1,100}){1,10}/?")


def external_path(path: str, request: Request, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """The path as the client sees it: with the prefix, if a trusted proxy sent one.

    `proxies` are trusted, as for `X-Forwarded-For`.
    """
    prefix = request.headers.get("X-Forwarded-Prefix", "")
    if not _VALID.fullmatch(prefix) or not is_proxy(request.remote_addr or "", proxies):
        return path
    return prefix.rstrip("/") + path
