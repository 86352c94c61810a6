"""Access control: what a protected blueprint checks before its views run."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

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
from app.http.cross_origin import CrossOriginPolicy

#: Errors of every protected view.
ACCESS_ERRORS: tuple[type[GatewayError], ...] = (
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
    cross_origin: CrossOriginPolicy,
    proxies: Sequence[IPv4Network | IPv6Network],
) -> None:
    """Let only authenticated users, and no page of another site, reach views of this blueprint.

    Runs before the body is read, and sets `g.user`.
    """

    @blueprint.before_request
    def check() -> None:
        cross_origin.refuse_cross_site(request)
        peer = request.environ.get("REMOTE_ADDR", "")
        address = client_address(peer, request.headers.get("X-Forwarded-For", ""), proxies)
        proxy = peer if address != peer else ""
        g.user = authenticator.check(request.headers.get("Authorization"), address, proxy)
        _reserve_connection(request.environ)

    @blueprint.record
    def mark_as_protected(state: BlueprintSetupState) -> None:
        state.app.extensions.setdefault(_PROTECTED, set()).add(blueprint.name)


def is_protected(app: Flask, endpoint: str) -> bool:
    """Whether this view needs credentials."""
    return endpoint.rpartition(".")[0] in app.extensions.get(_PROTECTED, ())


def _reserve_connection(environ: Mapping[str, Any]) -> None:
    """Take a place among the connections of authenticated clients. Raises TooManyConnections."""
    connection = environ.get("gunicorn.socket")
    if connection is not None and not connection.mark_authenticated():
        raise TooManyConnections
