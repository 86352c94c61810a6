"""Whether the CLI is logged in, by its own answer; one process asks it at a time."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.cli import auth_status, credentials
from app.state.files import open_file

# Characters of what the CLI printed that are shown.
_SHOWN = 200


class LoginStatus(NamedTuple):
    """Whether the CLI is logged in; None if it did not say, for this `reason`."""

    known: bool | None
    reason: str = ""


def ask_cli(claude: str, environment: Mapping[str, str], state: Path) -> LoginStatus:
    """Ask the CLI at this path. It is not run while its token is about to end."""
    known = credentials.logged_in(environment)
    if known is not None:
        return LoginStatus(known)
    try:
        with _exclusively(state) as lock:
            return _ask(claude, environment, lock)
    except OSError as error:
        return LoginStatus(None, f"cannot run claude auth status: {error.strerror}")


def _ask(claude: str, environment: Mapping[str, str], lock: int | None) -> LoginStatus:
    probe = auth_status.start(claude, environment, lock)
    try:
        if not probe.wait(auth_status.PATIENCE):
            within = f"{auth_status.PATIENCE:g} s"
            return LoginStatus(None, f"claude auth status has not answered within {within}")
        printed = (probe.stdout() + probe.stderr()).decode(errors="replace").strip()
        reason = f"claude auth status answers neither yes nor no: {printed[:_SHOWN]!r}"
        return LoginStatus(auth_status.logged_in(probe.stdout()), reason)
    finally:
        probe.close()


@contextmanager
def _exclusively(state: Path) -> Iterator[int | None]:
    """Hold the lock with which the gateway asks; None if there is none that we may use."""
    try:
        lock = open_file(auth_status.lock_path(state))
    except OSError:
        # No gateway has asked here yet, or it is another user's.
        yield None
        return
    deadline = time.monotonic() + auth_status.PATIENCE
    try:
        while not _lock(lock) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield lock
    finally:
        os.close(lock)


def _lock(lock: int) -> bool:
    """Take a lock if it is free; whether it was."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
