"""Credentials, and an authenticator that knows them."""

import base64
from pathlib import Path

from app.auth.api_keys import hashed, read_keys
from app.auth.authenticator import Authenticator
from app.auth.throttle import Throttle
from app.auth.users import assign

HERE = "192.0.2.1"


def basic(pair: str | bytes, scheme: str = "Basic") -> str:
    """The header that a client sends for `user:password`."""
    pair = pair if isinstance(pair, bytes) else pair.encode()
    return f"{scheme} {base64.b64encode(pair).decode()}"


LONG = "7d865e959b2466918c9863afca942d0f"
KEYS = f"the-first-users-key, der-zweite-schlüssel, alice:{LONG}, {hashed('bob', LONG[::-1])}"


def authenticator(folder: Path, limit: int = 0, password: str = "pa:ss") -> Authenticator:  # noqa: S107
    """Knows `admin` with a password, and the users of KEYS."""
    return signing_in("admin", password, KEYS, Throttle(folder, limit))


def signing_in(user: str, password: str, keys: str, throttle: Throttle) -> Authenticator:
    """Knows a user with a password, and those of the keys."""
    users = assign(user, read_keys(keys), shares=False, known=None, has_data=False)
    return Authenticator(users, password, throttle)
