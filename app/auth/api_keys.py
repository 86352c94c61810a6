"""The entries of API_KEYS: `name:key`, `name:sha256:<64 hex digits>` or only a key. Pure."""

import hashlib
import re
from typing import NamedTuple

from app.auth.secret_strength import is_blank, is_placeholder

#: A key's name.
NAME = re.compile("[a-z][a-z0-9_-]{0,31}")
#: The first characters of generated keys.
PREFIX = "c2a_"
#: Characters of the shortest key.
SHORTEST = 16

_HASHED = "sha256"
# The name of any hash, in any spelling: no key may begin with one.
_HASH = re.compile("sha-?[0-9]+", re.IGNORECASE)
_DIGEST = re.compile("[0-9a-f]{64}")
_HELP = "claudecode2api key add NAME generates a key"


class ApiKey(NamedTuple):
    """Entry `number` of API_KEYS. Without a `name` the entry is only a key, as in 1.0.

    `digests` are the SHA-256 digests, in hexadecimal, of what a client may send, the key's first.
    `secrets` are the texts that must not be logged.
    """

    number: int
    name: str | None
    digests: tuple[str, ...]
    secrets: tuple[str, ...]
    is_hashed: bool = False

    @property
    def digest(self) -> str:
        """The digest of the key itself."""
        return self.digests[0]


def digest_of(secret: bytes) -> str:
    """The SHA-256 digest that identifies a key, in hexadecimal."""
    return hashlib.sha256(secret).hexdigest()


def read_keys(value: str) -> tuple[ApiKey, ...]:
    """Parse API_KEYS. Raises ValueError, which names the entry and never quotes its key.

    >>> [key.name for key in read_keys("alice:0123456789abcdef, 0123-4567-89ab-cdef")]
    ['alice', None]
    """
    keys: list[ApiKey] = []
    for number, entry in enumerate(entries(value), start=1):
        key = _read(number, entry)
        if key.name and key.name in [each.name for each in keys]:
            raise ValueError(f"two keys have the name {key.name!r}; give one of them another name")
        twin = next((each for each in keys if set(each.digests) & set(key.digests)), None)
        if twin is None:
            keys.append(key)
        elif twin.name or key.name:
            raise ValueError(f"entries {twin.number} and {number} hold the same key")
    return tuple(keys)


def entries(value: str) -> list[str]:
    """The entries of API_KEYS, not parsed."""
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def hashed(name: str, key: str) -> str:
    """The entry for a key that has only its digest."""
    return f"{name}:{_HASHED}:{digest_of(key.encode())}"


def _read(number: int, entry: str) -> ApiKey:
    name, colon, secret = entry.partition(":")
    kind, is_hash, digest = secret.partition(":")
    is_named = bool(colon and NAME.fullmatch(name))
    # A digest must never count as a key: everyone who can read the settings could sign in with it.
    is_name_of_hash = bool(colon and _HASH.fullmatch(name.strip()))
    if is_name_of_hash or (is_hash and _HASH.fullmatch(kind.strip())):
        if is_name_of_hash or not is_named or kind != _HASHED:
            raise ValueError(
                f"entry {number} must be NAME:sha256:DIGEST; the name has at most 32 lowercase"
                " letters, digits, _ and -, and begins with a letter"
            )
        if not _DIGEST.fullmatch(digest.lower()):
            raise ValueError(f"entry {number} needs 64 hexadecimal digits after sha256:")
        return ApiKey(number, name, (digest.lower(),), (digest,), is_hashed=True)
    key = secret if is_named else entry
    _refuse_weak(number, key)
    # In 1.0 the whole entry was the key, and clients may still send it.
    texts = (key, entry) if is_named else (key,)
    digests = tuple(digest_of(text.encode()) for text in texts)
    return ApiKey(number, name if is_named else None, digests, texts)


def _refuse_weak(number: int, key: str) -> None:
    if len(key) < SHORTEST:
        raise ValueError(
            f"the key of entry {number} (after the name, if it has one) is shorter than {SHORTEST}"
            f" characters; {_HELP}"
        )
    if is_blank(key) or is_placeholder(key):
        raise ValueError(f"the key of entry {number} is a placeholder; {_HELP}")
