"""The users: the operator, and one for each key. Pure.

A user has an `id`, which is in records and never changes, and a `name`, which is shown. The id is
the digest of the user's first key. In 1.0 the N-th key of API_KEYS was the user `key-N`, so that
users changed when a key was added or removed. A key is recognized by its name or its digests
(`app/auth/users_file.py`), so a user may change one of the two and keep the id.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.auth.api_keys import ApiKey
from app.errors import ConfigurationError

# Digits of the digest that are the name of a key without one.
_SHOWN = 8
# No id of 1.0 (AUTH_USER or key-N) has a colon.
_KEY = "key:"


class User(NamedTuple):
    """A user. With `shares` every user may do everything to every job, as in 1.0."""

    id: str
    name: str
    is_operator: bool = False
    shares: bool = False

    def may_see(self, owner: str) -> bool:
        """Whether this user may see and change the jobs of the user with the id `owner`."""
        return self.shares or self.owns(owner)

    def owns(self, owner: str) -> bool:
        """Whether `owner` is this user's id; to the operator everything belongs."""
        return self.is_operator or self.id == owner


class KeyRecord(NamedTuple):
    """What is recorded of a key: its name, if it has one, and its digests."""

    name: str | None
    digests: tuple[str, ...]


class UsersRecord(NamedTuple):
    """What STATE_DIR has of the users: the operator's id, and each id's key."""

    operator: str
    keys: dict[str, list[str | None]]


@dataclass(frozen=True)
class Users:
    """All users. `keys` has the digests of each user's valid keys."""

    operator: User
    keys: tuple[tuple[tuple[str, ...], User], ...]
    record: UsersRecord

    def name_of(self, user_id: str) -> str:
        """The name of the user with this id, even if the user's key was removed."""
        if user_id == self.operator.id:
            return self.operator.name
        for _, user in self.keys:
            if user.id == user_id:
                return user.name
        return (self.record.keys.get(user_id) or [None])[0] or _default_name(user_id)

    def ids_of(self, name: str) -> set[str]:
        """The ids of the users with this name, also of those whose key was removed."""
        known = {self.operator.id, *self.record.keys, *(user.id for _, user in self.keys)}
        # A user of 1.0 whose name is the id, perhaps.
        return {user_id for user_id in (*known, name) if self.name_of(user_id) == name}


def assign(
    auth_user: str, keys: Sequence[ApiKey], shares: bool, known: UsersRecord | None, has_data: bool
) -> Users:
    """The users with these keys. `known` is the record of an earlier start, None at the first.

    `has_data` at a first start means data of 1.0. Raises ConfigurationError for a name used twice.
    """
    operator = User(known.operator if known else auth_user, auth_user, True, shares)
    remembered = _keys_in(known)
    names = {key.name for key in keys if key.name}
    ids: dict[int, str] = {}
    for key in keys:
        taken = {*remembered, *ids.values()}
        if known is None:
            number = f"key-{key.number}"
            # If the operator of 1.0 was called like this, the jobs are the operator's.
            is_number = not key.name or (has_data and number != operator.id)
            ids[key.number] = number if is_number else _new_id(key, taken)
        else:
            ids[key.number] = _remembered_id(key, remembered, names) or _new_id(key, taken)
    users = {
        key.number: User(ids[key.number], key.name or _default_name(ids[key.number]), shares=shares)
        for key in keys
    }
    _check_names(operator, list(users.values()))
    held = {ids[key.number]: [key.name, *key.digests] for key in keys}
    kept = {user_id: [each.name, *each.digests] for user_id, each in remembered.items()}
    record = UsersRecord(operator.id, {**kept, **held})
    return Users(operator, tuple((key.digests, users[key.number]) for key in keys), record)


def _keys_in(known: UsersRecord | None) -> dict[str, KeyRecord]:
    """The recorded key of each id; malformed entries are left out."""
    found = {}
    for user_id, written in known.keys.items() if known else ():
        digests = tuple(digest for digest in written[1:] if digest is not None)
        if digests:
            found[user_id] = KeyRecord(written[0], digests)
    return found


def _remembered_id(key: ApiKey, remembered: Mapping[str, KeyRecord], names: set[str]) -> str | None:
    """The recorded id with this key's name, or else with its digest: the name may be new."""
    if key.name:
        for user_id, each in remembered.items():
            if each.name == key.name:
                return user_id
    for user_id, each in remembered.items():
        if set(each.digests) & set(key.digests) and each.name not in names:
            return user_id
    return None


def _new_id(key: ApiKey, taken: set[str]) -> str:
    """An id that is not taken: another user may have had this key first."""
    first = f"{_KEY}{key.digest}"
    others = (f"{first}:{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([first], others) if each not in taken)


def _default_name(user_id: str) -> str:
    """The name of a user whose key has none.

    >>> [_default_name(user_id) for user_id in ("key-1", "key:0123456789abcdef")]
    ['key-1', 'key-01234567']
    """
    if user_id.startswith(_KEY):
        return f"key-{user_id.removeprefix(_KEY)[:_SHOWN]}"
    return user_id


def _check_names(operator: User, users: Sequence[User]) -> None:
    seen = {operator.name: "AUTH_USER"}
    for number, user in enumerate(users, start=1):
        if user.name in seen:
            raise ConfigurationError(
                f"cannot use API_KEYS: {seen[user.name]} and a key have the same name,"
                f" {user.name!r}; give one of them another name (NAME:KEY in API_KEYS)"
            )
        seen[user.name] = f"key {number}"
