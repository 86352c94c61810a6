"""What a protected blueprint checks before it looks at a request."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from flask import Blueprint, Flask, g, request
from flask.sansio.blueprints import BlueprintSetupState

from app.auth.authenticator import Authenticator
from app.client_address import client_address
from app.errors import (
    CrossSite,
    GatewayError,
    InvalidCredentials,
    NotAuthenticated,
    TooManyAttempts,
    TooManyConnections,
)
from app.http.disconnect import prove_client
from app.http.origins import Origins

#: What any protected view may answer.
ERRORS: tuple[type[GatewayError], ...] = (
    NotAuthenticated,
    InvalidCredentials,
    TooManyAttempts,
    TooManyConnections,
    CrossSite,
)

_PROTECTED = "protected"


def protect(
    blueprint: Blueprint,
    authenticator: Authenticator,
    origins: Origins,
    proxies: Sequence[IPv4Network | IPv6Network],
) -> None:
    """Let only signed-in users, and no foreign page, reach any view of this blueprint.

    Runs before the body is read. The User is in `g.user` afterwards.
    """

    @blueprint.before_request
    def check() -> None:
        origins.refuse_cross_site(request)
        peer = request.environ.get("REMOTE_ADDR", "")
        address = client_address(peer, request.headers.get("X-Forwarded-For", ""), proxies)
        proxy = peer if address != peer else ""
        g.user = authenticator.check(request.headers.get("Authorization"), address, proxy)
        prove_client(request.environ)

    @blueprint.record
    def remember(state: BlueprintSetupState) -> None:
        state.app.extensions.setdefault(_PROTECTED, set()).add(blueprint.name)


def is_protected(app: Flask, endpoint: str) -> bool:
    """Whether one must sign in for this view."""
    return endpoint.rpartition(".")[0] in app.extensions.get(_PROTECTED, ())
