"""Who is asking: HTTP Basic (RFC 7617) and bearer keys (RFC 6750)."""

import base64
import binascii
import hashlib
import hmac
import logging
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from app.errors import InvalidCredentials, NotAuthenticated
from app.throttle import Throttle

log = logging.getLogger(__name__)


class Authenticator:
    """Knows one user with a password, and any number of keys."""

    def __init__(
        self, user: str, password: str, api_keys: Sequence[str], throttle: Throttle
    ) -> None:
        self._user = user
        self._pair = _digest(f"{user}:{password}".encode())
        self._keys = [_digest(key.encode()) for key in api_keys]
        self._throttle = throttle

    def check(self, authorization: str | None, address: str) -> str:
        """The name of who sent this header; `address` is the client's.

        Raises NotAuthenticated without usable credentials, InvalidCredentials for wrong
        ones, and TooManyAttempts, whatever the credentials, if the address failed too often.
        """
        scheme, credentials = _parse(authorization)
        self._throttle.check(address)
        given = _digest(credentials)
        # Every comparison is made, whatever the outcome of the others.
        if scheme == "basic":
            name = self._user if hmac.compare_digest(given, self._pair) else None
        else:
            matches = [hmac.compare_digest(given, key) for key in self._keys]
            name = f"key-{matches.index(True) + 1}" if True in matches else None
        if name is None:
            try:
                self._throttle.count(address)
            except OSError as error:
                log.error("cannot count a failed attempt: %s", error)
            raise InvalidCredentials
        return name


def client_address(
    remote: str, forwarded_for: str, proxies: Sequence[IPv4Network | IPv6Network]
) -> str:
    """The client's address: the last one in `X-Forwarded-For` that is no proxy of ours.

    Only a proxy of ours is believed: what others wrote in the header is ignored.

    >>> from ipaddress import ip_network
    >>> client_address("10.0.0.1", "6.6.6.6, 192.0.2.7", [ip_network("10.0.0.0/8")])
    '192.0.2.7'
    >>> client_address("192.0.2.9", "192.0.2.7", [ip_network("10.0.0.0/8")])
    '192.0.2.9'
    """
    address = remote
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    while hops and _is_among(address, proxies):
        hop = _without_port(hops.pop())
        if hop is None:
            break
        address = hop
    return address


def _without_port(hop: str) -> str | None:
    """The address in a hop, to which some proxies add the port; None if there is none.

    >>> _without_port("192.0.2.7:4711"), _without_port("[2001:db8::1]:80"), _without_port("x")
    ('192.0.2.7', '2001:db8::1', None)
    """
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ip_address(hop))
    except ValueError:
        return None


def _is_among(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(mapped in network for network in networks)


def _parse(authorization: str | None) -> tuple[str, bytes]:
    """The scheme and the credentials, for Basic the decoded pair. Raises NotAuthenticated."""
    scheme, _, parameter = (authorization or "").strip(" \t").partition(" ")
    # A WSGI header's bytes arrive as Latin-1 (PEP 3333), where some of them look like spaces.
    parameter_bytes = parameter.strip(" \t").encode("latin-1", errors="replace")
    if scheme.lower() == "bearer" and parameter_bytes:
        return "bearer", parameter_bytes
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(parameter_bytes, validate=True)
        except binascii.Error:
            raise NotAuthenticated from None
        if b":" in pair:
            return "basic", pair
    raise NotAuthenticated


def _digest(secret: bytes) -> bytes:
    # Of equal length, so that comparing them tells nothing of the secrets' lengths.
    return hashlib.sha256(secret).digest()
