"""The users: the operator, and one for each key.

A user has an `id`, which records hold and which never moves, and a `name`, which is shown. In
1.0 the N-th key of API_KEYS was the user `key-N`, so that keys changed hands when one was added
or removed. `STATE_DIR/users` holds what was once a number's: the ids of keys, each by the key's
digest or its name, never by the key.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.api_keys import ApiKey
from app.errors import ConfigurationError
from app.records import read_as, write_record

log = logging.getLogger(__name__)

#: Digits of its digest by which a key without a name is shown.
_SHOWN = 8
# No id of 1.0 holds a colon: neither AUTH_USER nor key-N.
_NAMED, _BARE = "name:", "key:"


class User(NamedTuple):
    """Who asks. With `shares` every user may do all to every job, as in 1.0."""

    id: str
    name: str
    is_operator: bool = False
    shares: bool = False

    def may_see(self, owner: str) -> bool:
        """Whether this user may see, and do anything to, the job of this user's id."""
        return self.shares or self.owns(owner)

    def owns(self, owner: str) -> bool:
        """Whether what this user's id has is this user's, too; the operator has everything."""
        return self.is_operator or self.id == owner


class KeyRecord(NamedTuple):
    """The key that has an id: its name, if it has one, and its digest."""

    name: str | None
    digest: str


class Record(NamedTuple):
    """What STATE_DIR remembers: the operator's id, and the key of each id."""

    operator: str
    keys: dict[str, list[str | None]]


@dataclass(frozen=True)
class Users:
    """All users. `keys` are the digests of what signs a user in."""

    operator: User
    keys: tuple[tuple[tuple[str, ...], User], ...]
    record: Record

    def name_of(self, user_id: str) -> str:
        """The name under which a user is shown, also one whose key was removed."""
        if user_id == self.operator.id:
            return self.operator.name
        for _, user in self.keys:
            if user.id == user_id:
                return user.name
        return _own_name(user_id)


def load_users(state: str, auth_user: str, keys: Sequence[ApiKey], shares: bool) -> Users:
    """The users that these settings name. Raises ConfigurationError if two have one name."""
    path = _path(state)
    known = read_as(Record, path)
    if known is None and os.path.lexists(path):
        # By their numbers keys could get what is another's.
        log.error(
            "cannot read %s: users whose key has or had no name do not see their earlier jobs", path
        )
        known = Record(auth_user, {})
    return assign(auth_user, keys, shares, known, _has_data(state))


def save_users(state: str, users: Users) -> None:
    """Remember whose each id is, also after a power cut. Raises OSError."""
    path = _path(state)
    if read_as(Record, path) == users.record:
        return
    write_record(path, users.record._asdict())
    for written in (path, os.path.dirname(path)):  # noqa: PTH120
        descriptor = os.open(written, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def assign(
    auth_user: str, keys: Sequence[ApiKey], shares: bool, known: Record | None, has_data: bool
) -> Users:
    """The users of these keys, given what is remembered: nothing before the first start.

    If there is data then, it is 1.0's. Pure. Raises ConfigurationError if two have one name.
    """
    operator = User(known.operator if known else auth_user, auth_user, True, shares)
    remembered = _keys_in(known)
    names = {key.name for key in keys if key.name}
    ids: dict[int, str] = {}
    for key in keys:
        if known is None:
            number = f"key-{key.number}"
            # What an operator of this name had in common with a key is the operator's.
            is_number = not key.name or (has_data and number != operator.id)
            ids[key.number] = number if is_number else _new_id(key)
        else:
            ids[key.number] = _remembered_id(key, remembered, names) or _new_id(key)
    users = {
        key.number: User(ids[key.number], key.name or _own_name(ids[key.number]), shares=shares)
        for key in keys
    }
    _refuse_namesakes(operator, list(users.values()))
    held = {
        ids[key.number]: [key.name, key.digest]
        for key in keys
        if not ids[key.number].startswith(_NAMED)
    }
    kept = {user_id: [each.name, each.digest] for user_id, each in remembered.items()}
    record = Record(operator.id, {**kept, **held})
    return Users(operator, tuple((key.digests, users[key.number]) for key in keys), record)


def _keys_in(known: Record | None) -> dict[str, KeyRecord]:
    """The key of each id; what is no key is left out."""
    found = {}
    for user_id, pair in known.keys.items() if known else ():
        name, digest = (*pair, None, None)[:2]
        if digest is not None:
            found[user_id] = KeyRecord(name, digest)
    return found


def _remembered_id(key: ApiKey, remembered: Mapping[str, KeyRecord], names: set[str]) -> str | None:
    """The id that this key's name has, else the key itself: it may have got or lost a name."""
    if key.name:
        for user_id, each in remembered.items():
            if each.name == key.name:
                return user_id
    for user_id, each in remembered.items():
        if each.digest in key.digests and each.name not in names:
            return user_id
    return None


def _new_id(key: ApiKey) -> str:
    return f"{_NAMED}{key.name}" if key.name else f"{_BARE}{key.digest}"


def _own_name(user_id: str) -> str:
    """What an id is called that no user of today has.

    >>> [_own_name(user_id) for user_id in ("key-1", "name:alice", "key:0123456789abcdef")]
    ['key-1', 'alice', 'key-01234567']
    """
    if user_id.startswith(_BARE):
        return f"key-{user_id.removeprefix(_BARE)[:_SHOWN]}"
    return user_id.removeprefix(_NAMED)


def _refuse_namesakes(operator: User, users: Sequence[User]) -> None:
    seen = {operator.name: "AUTH_USER"}
    for number, user in enumerate(users, start=1):
        if user.name in seen:
            raise ConfigurationError(
                f"cannot use API_KEYS: both {seen[user.name]} and a key are called {user.name!r};"
                " give one of them another name (NAME:KEY in API_KEYS)"
            )
        seen[user.name] = f"key {number}"


def _has_data(state: str) -> bool:
    """Whether this folder holds anything of a user."""
    for folder in ("jobs", "conversations", "histories"):
        try:
            with os.scandir(f"{state}/{folder}") as entries:
                if any(True for _ in entries):
                    return True
        except OSError:
            continue
    return False


def _path(state: str) -> str:
    # STATE_DIR itself may be a link.
    return f"{os.path.realpath(state)}/users"
