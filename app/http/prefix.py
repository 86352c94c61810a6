"""The path under which a proxy serves the gateway, for the Location header."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from flask import Request

_SANE = re.compile(r"(/[A-Za-z0-9._~-]{1,100}){1,10}/?")


def seen_from_outside(
    path: str, request: Request, proxies: Sequence[IPv4Network | IPv6Network]
) -> str:
    """A path of ours as the client knows it: behind the `X-Forwarded-Prefix` of a proxy of ours.

    Only a proxy of ours is believed, as with `X-Forwarded-For`.
    """
    prefix = request.headers.get("X-Forwarded-Prefix", "")
    if not _SANE.fullmatch(prefix) or not _is_among(request.remote_addr, proxies):
        return path
    return prefix.rstrip("/") + path


def _is_among(address: str | None, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        return any(ip_address(address or "") in network for network in networks)
    except ValueError:
        return False
