"""The users: the operator, and one for each key.

A user has an `id`, which records hold and which never moves, and a `name`, which is shown. The id
is the digest of the key that the user had first. In 1.0 the N-th key of API_KEYS was the user
`key-N`, so that keys changed hands when one was added or removed. `STATE_DIR/users` holds the key
of each id, by its name and its digests, never the key itself: with one of the two a user may get
the other anew.
"""

import itertools
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.auth.api_keys import ApiKey
from app.errors import ConfigurationError
from app.state.record_file import read_as, write_record

log = logging.getLogger(__name__)

#: Digits of its digest by which a key without a name is shown.
_SHOWN = 8
# No id of 1.0 holds a colon: neither AUTH_USER nor key-N.
_KEY = "key:"


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
    """The key that has an id: its name, if it has one, and its digests."""

    name: str | None
    digests: tuple[str, ...]


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
        return (self.record.keys.get(user_id) or [None])[0] or _own_name(user_id)


def load_users(state: str, auth_user: str, keys: Sequence[ApiKey], shares: bool) -> Users:
    """The users that these settings name. Raises ConfigurationError if two have one name."""
    path = _path(state)
    known = read_as(Record, path)
    if known is None and os.path.lexists(path):
        # By their numbers keys could get what is another's.
        log.error(
            "cannot read %s: users of 1.0, or with another key than at first, do not see their"
            " earlier jobs",
            path,
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


def mend_users(state: str, users: Users) -> None:
    """Write what is remembered again, if a job has removed or damaged it."""
    if read_as(Record, _path(state)) is not None:
        return
    try:
        save_users(state, users)
    except OSError as error:
        log.error("cannot remember whose the keys are: %s", error)


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
        taken = {*remembered, *ids.values()}
        if known is None:
            number = f"key-{key.number}"
            # What an operator of this name had in common with a key is the operator's.
            is_number = not key.name or (has_data and number != operator.id)
            ids[key.number] = number if is_number else _new_id(key, taken)
        else:
            ids[key.number] = _remembered_id(key, remembered, names) or _new_id(key, taken)
    users = {
        key.number: User(ids[key.number], key.name or _own_name(ids[key.number]), shares=shares)
        for key in keys
    }
    _refuse_namesakes(operator, list(users.values()))
    held = {ids[key.number]: [key.name, *key.digests] for key in keys}
    kept = {user_id: [each.name, *each.digests] for user_id, each in remembered.items()}
    record = Record(operator.id, {**kept, **held})
    return Users(operator, tuple((key.digests, users[key.number]) for key in keys), record)


def _keys_in(known: Record | None) -> dict[str, KeyRecord]:
    """The key of each id; anything else is left out."""
    found = {}
    for user_id, written in known.keys.items() if known else ():
        digests = tuple(digest for digest in written[1:] if digest is not None)
        if digests:
            found[user_id] = KeyRecord(written[0], digests)
    return found


def _remembered_id(key: ApiKey, remembered: Mapping[str, KeyRecord], names: set[str]) -> str | None:
    """The id that this key's name has, else the key itself: it may have got or lost a name."""
    if key.name:
        for user_id, each in remembered.items():
            if each.name == key.name:
                return user_id
    for user_id, each in remembered.items():
        if set(each.digests) & set(key.digests) and each.name not in names:
            return user_id
    return None


def _new_id(key: ApiKey, taken: set[str]) -> str:
    """An id that no other user has: one may have been begun by this key and got another since."""
    first = f"{_KEY}{key.digest}"
    others = (f"{first}:{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([first], others) if each not in taken)


def _own_name(user_id: str) -> str:
    """What a user without a name is called.

    >>> [_own_name(user_id) for user_id in ("key-1", "key:0123456789abcdef")]
    ['key-1', 'key-01234567']
    """
    if user_id.startswith(_KEY):
        return f"key-{user_id.removeprefix(_KEY)[:_SHOWN]}"
    return user_id


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
