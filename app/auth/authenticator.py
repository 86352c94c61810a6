"""The check of an Authorization header: HTTP Basic (RFC 7617) or a bearer key (RFC 6750)."""

import base64
import binascii
import hmac
import logging
from typing import NoReturn

from app.audit import RefusedLogins
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
_NO_KEYS = "This gateway has no keys; its operator can add one with: claudecode2api key add NAME"


class Authenticator:
    """Recognizes the operator by name and password, and every other user by a key."""

    def __init__(self, users: Users, password: str, throttle: Throttle) -> None:
        self._operator = users.operator
        self._pair = digest_of(f"{users.operator.name}:{password}".encode())
        self._keys = [(digest, user) for digests, user in users.keys for digest in digests]
        self._throttle = throttle
        self._refused_logins = RefusedLogins()
        self._hint = _WHAT_TO_SEND if users.keys else f"{_WHAT_TO_SEND} {_NO_KEYS}"

    def check(self, authorization: str | None, address: str, proxy: str = "") -> User:
        """The user with the credentials in this header.

        `address` is the client's, and `proxy` that of the proxy which reported it, if any. Raises
        NotAuthenticated without usable credentials, InvalidCredentials for wrong ones, and
        TooManyAttempts if the address failed too often. Even then, valid credentials are accepted
        if they are too strong to be guessed, or if the address signed in recently.
        """
        scheme, credentials = self._parse(authorization)
        user = self._find(scheme, digest_of(credentials))
        if user is None:
            self._refuse(scheme, credentials, address, proxy)
        secret = credentials.partition(b":")[2] if scheme == "basic" else credentials
        if not is_strong(secret.decode(errors="replace")):
            try:
                self._throttle.check(address, proxy, is_valid=True)
            except TooManyAttempts:
                what = "valid credentials, but too many failed attempts before"
                self._refused_logins.log(address, what)
                raise
        self._throttle.record_login(address)
        return user

    def _find(self, scheme: str, given: str) -> User | None:
        # All keys are compared, so that the time does not show which one matched.
        if scheme == "basic":
            return self._operator if hmac.compare_digest(given, self._pair) else None
        matches = [hmac.compare_digest(given, digest) for digest, _ in self._keys]
        return self._keys[matches.index(True)][1] if True in matches else None

    def _refuse(self, scheme: str, credentials: bytes, address: str, proxy: str) -> NoReturn:
        if scheme == "bearer":
            what = "a key that is not in API_KEYS"
        elif credentials.partition(b":")[0] == self._operator.name.encode():
            what = f"a wrong password of {self._operator.name}"
        else:
            # The name is not logged: it may be a password in the wrong place.
            what = "an unknown user name"
        self._refused_logins.log(address, what)
        try:
            self._throttle.record_failure(address, proxy)
        except OSError as error:
            log.error("cannot record a failed login: %s", error)
        raise InvalidCredentials(self._hint)

    def _parse(self, authorization: str | None) -> tuple[str, bytes]:
        parsed = _parse(authorization)
        if parsed is None:
            raise NotAuthenticated(hint=self._hint)
        return parsed


def _parse(authorization: str | None) -> tuple[str, bytes] | None:
    """The scheme and its credentials (for Basic the decoded pair), or None."""
    scheme, _, parameter = (authorization or "").strip(" \t").partition(" ")
    # WSGI decodes a header as Latin-1 (PEP 3333), in which some bytes look like spaces.
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
