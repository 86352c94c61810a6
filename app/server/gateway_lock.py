"""The lock on STATE_DIR, which lets one gateway use it: two would end each other's jobs.

Its file contains the address at which that gateway listens. The lock is a descriptor, which
the code of another version can use after a reload.
"""

import os

from app.errors import ConfigurationError
from app.state.files import read_file
from app.state.process_lock import acquire, holder_of, is_open_here


def lock_state(state: str) -> int:
    """Take the lock until this process exits; no worker inherits it.

    Raises OSError, and ConfigurationError if another gateway has it.
    """
    lock = acquire(_path(state))
    if lock is None:
        raise StateInUse(state)
    return lock


def write_address(lock: int, address: str) -> None:
    """Write where the gateway that has the lock listens. Raises OSError."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, address.encode(), 0)


def master_pid(state: str) -> int | None:
    """The pid of the master that has the lock; None if none has, or this user may not look."""
    return holder_of(_path(state))


def is_locked_here(state: str) -> bool:
    """Whether this process has the lock, and so is a master that reloads."""
    return is_open_here(_path(state))


def listens_at(state: str, address: str) -> bool:
    """Whether the gateway that has the lock listens at this address. Raises OSError."""
    return master_pid(state) is not None and read_file(_path(state)) == address.encode()


class StateInUse(ConfigurationError):
    """Another gateway uses the state folder."""

    def __init__(self, state: str) -> None:
        super().__init__(
            f"cannot use STATE_DIR: another gateway uses {state}; stop that one, or set another"
            " STATE_DIR"
        )


def _path(state: str) -> str:
    return f"{state}/gateway.lock"
