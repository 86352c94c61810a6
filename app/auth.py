"""Who is asking: HTTP Basic (RFC 7617) and bearer keys (RFC 6750)."""

import base64
import binascii
import hmac
import logging
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NoReturn

from app.api_keys import digest_of
from app.audit import Refusals
from app.errors import InvalidCredentials, NotAuthenticated, TooManyAttempts
from app.secret_strength import is_strong
from app.throttle import Throttle
from app.users import User, Users

log = logging.getLogger(__name__)

_WHAT_TO_SEND = (
    "Send AUTH_USER and AUTH_PASSWORD as HTTP Basic (curl -u USER:PASSWORD), or a key in the"
    " header Authorization: Bearer KEY."
)
_HOW_TO_MAKE_A_KEY = (
    "This gateway has no keys; its operator makes one with: claudecode2api key add NAME"
)


class Authenticator:
    """Knows the operator by name and password, and every other user by a key."""

    def __init__(self, users: Users, password: str, throttle: Throttle) -> None:
        self._operator = users.operator
        self._pair = digest_of(f"{users.operator.name}:{password}".encode())
        self._keys = [(digest, user) for digests, user in users.keys for digest in digests]
        self._throttle = throttle
        self._refusals = Refusals()
        self._hint = _WHAT_TO_SEND if users.keys else f"{_WHAT_TO_SEND} {_HOW_TO_MAKE_A_KEY}"

    def check(self, authorization: str | None, address: str, proxy: str = "") -> User:
        """Who sent this header; `address` is the client's, as a `proxy` named it, if one did.

        Raises NotAuthenticated without usable credentials, InvalidCredentials for wrong ones,
        and TooManyAttempts if the address failed too often. Right ones are let in even then if
        they cannot be guessed, or if the address signed in lately.
        """
        scheme, credentials = self._parse(authorization)
        user = self._find(scheme, digest_of(credentials))
        if user is None:
            self._refuse(scheme, credentials, address, proxy)
        secret = credentials.partition(b":")[2] if scheme == "basic" else credentials
        if not is_strong(secret.decode(errors="replace")):
            try:
                self._throttle.check(address, proxy, is_right=True)
            except TooManyAttempts:
                what = "right credentials, but too many attempts before"
                self._refusals.refused(address, what)
                raise
        self._throttle.welcome(address)
        return user

    def _find(self, scheme: str, given: str) -> User | None:
        # Every comparison is made, whatever the outcome of the others.
        if scheme == "basic":
            return self._operator if hmac.compare_digest(given, self._pair) else None
        matches = [hmac.compare_digest(given, digest) for digest, _ in self._keys]
        return self._keys[matches.index(True)][1] if True in matches else None

    def _refuse(self, scheme: str, credentials: bytes, address: str, proxy: str) -> NoReturn:
        if scheme == "bearer":
            what = "a key that is none of API_KEYS"
        elif credentials.partition(b":")[0] == self._operator.name.encode():
            what = f"a wrong password of {self._operator.name}"
        else:
            # A name that is not ours may be a password in the wrong place.
            what = "the name and password of no user"
        self._refusals.refused(address, what)
        try:
            self._throttle.count(address, proxy)
        except OSError as error:
            log.error("cannot count a failed attempt: %s", error)
        raise InvalidCredentials(self._hint)

    def _parse(self, authorization: str | None) -> tuple[str, bytes]:
        parsed = _parse(authorization)
        if parsed is None:
            raise NotAuthenticated(hint=self._hint)
        return parsed


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


def _parse(authorization: str | None) -> tuple[str, bytes] | None:
    """The scheme and the credentials, for Basic the decoded pair; None without usable ones."""
    scheme, _, parameter = (authorization or "").strip(" \t").partition(" ")
    # A WSGI header's bytes arrive as Latin-1 (PEP 3333), where some of them look like spaces.
    parameter_bytes = parameter.strip(" \t").encode("latin-1", errors="replace")
    if scheme.lower() == "bearer" and parameter_bytes:
        return "bearer", parameter_bytes
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(parameter_bytes, validate=True)
        except binascii.Error:
            return None
        if b":" in pair:
            return "basic", pair
    return None
