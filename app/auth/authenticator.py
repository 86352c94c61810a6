"""Who is asking: HTTP Basic (RFC 7617) and bearer keys (RFC 6750)."""

import base64
import binascii
import hmac
import logging
from typing import NoReturn

from app.audit import Refusals
from app.auth.api_keys import digest_of
from app.auth.secret_strength import is_strong
from app.auth.throttle import Throttle
from app.auth.users import User, Users
from app.errors import InvalidCredentials, NotAuthenticated, TooManyAttempts

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
