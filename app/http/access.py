"""Access control: what a protected blueprint checks before its views run."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from flask import Blueprint, Flask, current_app, g, request
from flask.sansio.blueprints import BlueprintSetupState

from app.auth.authenticator import Authenticator
from app.client_address import client_address
from app.errors import (
    CrossSite,
    GatewayError,
    InvalidCredentials,
    NotAuthenticated,
    OperatorOnly,
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

#: The header with a key, as Anthropic's clients send it.
API_KEY = "x-api-key"

_PROTECTED = "protected"
_WITH_API_KEY = "with_api_key"


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
        g.user = authenticator.check(_authorization(), address, proxy)
        _reserve_connection(request.environ)

    @blueprint.record
    def mark_as_protected(state: BlueprintSetupState) -> None:
        state.app.extensions.setdefault(_PROTECTED, set()).add(blueprint.name)


def accept_api_key(blueprint: Blueprint, only_with: str | None = None) -> None:
    """Let a key be in the header x-api-key, for views of this blueprint.

    Where there is an `only_with`, only in requests that have this header.
    """

    @blueprint.record
    def mark(state: BlueprintSetupState) -> None:
        state.app.extensions.setdefault(_WITH_API_KEY, {})[blueprint.name] = only_with


def accepts_api_key(app: Flask, endpoint: str) -> bool:
    """Whether a key may be in the header x-api-key, for this view."""
    return endpoint.rpartition(".")[0] in app.extensions.get(_WITH_API_KEY, {})


def is_protected(app: Flask, endpoint: str) -> bool:
    """Whether this view needs credentials."""
    return endpoint.rpartition(".")[0] in app.extensions.get(_PROTECTED, ())


def require_operator() -> None:
    """Let only the operator go on, SHARED_JOBS or not. Raises OperatorOnly."""
    if not g.user.is_operator:
        raise OperatorOnly


def _authorization() -> str | None:
    """The Authorization header of the current request, or what its key stands for."""
    sent = request.headers.get("Authorization")
    key = request.headers.get(API_KEY)
    if sent is not None or not key or not accepts_api_key(current_app, request.endpoint or ""):
        return sent
    only_with = current_app.extensions[_WITH_API_KEY][request.blueprint]
    return f"Bearer {key}" if only_with is None or only_with in request.headers else None


def _reserve_connection(environ: Mapping[str, Any]) -> None:
    """Take a place among the connections of authenticated clients. Raises TooManyConnections."""
    connection = environ.get("gunicorn.socket")
    if connection is not None and not connection.mark_authenticated():
        raise TooManyConnections
