"""The file STATE_DIR/users, which remembers each user's key from one start to the next.

It has the keys' names and digests, never the keys themselves.
"""

import logging
import os
from collections.abc import Sequence

from app.auth.api_keys import ApiKey
from app.auth.users import Users, UsersRecord, assign
from app.state.record_file import read_as, write_record

log = logging.getLogger(__name__)


def load_users(state: str, auth_user: str, keys: Sequence[ApiKey], shares: bool) -> Users:
    """The users that these settings name. Raises ConfigurationError for a name used twice."""
    path = _path(state)
    known = read_as(UsersRecord, path)
    if known is None and os.path.lexists(path):
        # Numbering the keys as in 1.0 could give one user's jobs to another.
        log.error(
            "cannot read %s: users of 1.0, and users whose key has changed, do not see their"
            " earlier jobs",
            path,
        )
        known = UsersRecord(auth_user, {})
    return assign(auth_user, keys, shares, known, _has_data(state))


def save_users(state: str, users: Users) -> None:
    """Write the file, durably. Raises OSError."""
    path = _path(state)
    if read_as(UsersRecord, path) == users.record:
        return
    write_record(path, users.record._asdict())
    for written in (path, os.path.dirname(path)):  # noqa: PTH120
        descriptor = os.open(written, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def mend_users(state: str, users: Users) -> None:
    """Write the file again if a job has removed or damaged it."""
    if read_as(UsersRecord, _path(state)) is not None:
        return
    try:
        save_users(state, users)
    except OSError as error:
        log.error("cannot save the users' keys: %s", error)


def _has_data(state: str) -> bool:
    """Whether the folder has jobs or conversations of any user."""
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
