"""X-Forwarded-Prefix: the path below which a proxy serves the gateway."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from flask import Request

_VALID = re.compile(r"(/[A-Za-z0-9._~-]{1,100}){1,10}/?")


def external_path(path: str, request: Request, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """The path as the client sees it: with the prefix, if a trusted proxy sent one.

    `proxies` are trusted, as for `X-Forwarded-For`.
    """
    prefix = request.headers.get("X-Forwarded-Prefix", "")
    if not _VALID.fullmatch(prefix) or not _is_in(request.remote_addr, proxies):
        return path
    return prefix.rstrip("/") + path


def _is_in(address: str | None, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        return any(ip_address(address or "") in network for network in networks)
    except ValueError:
        return False
