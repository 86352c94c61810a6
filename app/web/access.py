"""What a protected blueprint checks before it looks at a request."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from flask import Blueprint, g, request

from app.auth import Authenticator, client_address
from app.web.origins import Origins


def protect(
    blueprint: Blueprint,
    authenticator: Authenticator,
    origins: Origins,
    proxies: Sequence[IPv4Network | IPv6Network],
) -> None:
    """Let only signed-in users, and no foreign page, reach any view of this blueprint.

    Runs before the body is read. The user's name is in `g.user` afterwards.
    """

    @blueprint.before_request
    def check() -> None:
        origins.refuse_cross_site(request)
        address = client_address(
            request.environ.get("REMOTE_ADDR", ""),
            request.headers.get("X-Forwarded-For", ""),
            proxies,
        )
        g.user = authenticator.check(request.headers.get("Authorization"), address)
