"""Whether the CLI is logged in, kept up to date in the background; knows gevent."""

import fcntl
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

import gevent

from app.cli import auth_status, credentials
from app.state.files import open_file, read_file, replace_file

log = logging.getLogger(__name__)

#: Seconds for which an answer is fresh. Each costs 0.3 s of CPU time.
FRESH = 60.0
#: Seconds before the next look while another process runs `claude auth status`.
_RETRY = 1.0
# Bytes of the file that holds the answer.
_LARGEST = 100


class Login:
    """Whether the CLI is logged in, shared by all workers through one file.

    One worker at a time runs `claude auth status`, and none does while that might refresh the
    token (see `app.cli.credentials`).
    """

    def __init__(self, state: Path, claude: str, environment: Mapping[str, str]) -> None:
        self._file = auth_status.answer_path(state)
        self._lock = auth_status.lock_path(state)
        self._claude = claude
        self._environment = dict(environment)
        self._is_refreshing = False
        self._refresh_at = 0.0
        self._look_at = 0.0

    def logged_in(self) -> bool | None:
        """The last answer, without waiting: None if the CLI has not answered yet.

        An old answer is returned once more while a new one is fetched; but not that the CLI is
        logged out, if its credentials have changed since.
        """
        known, age = self._read()
        is_due = time.monotonic() >= self._refresh_at and not 0 <= age < FRESH
        if known is False and credentials.changed_within(self._environment, age):
            known, is_due = None, time.monotonic() >= self._look_at
        if is_due and not self._is_refreshing:
            self._is_refreshing = True
            gevent.spawn(self._refresh)
        return known

    def _read(self) -> tuple[bool | None, float]:
        """The last answer, and its age in seconds."""
        try:
            known = json.loads(read_file(self._file, _LARGEST))
            age = time.time() - os.lstat(self._file).st_mtime
        except (OSError, ValueError):
            return None, FRESH
        return (known if isinstance(known, bool) else None), age

    def _refresh(self) -> None:
        self._refresh_at = time.monotonic() + FRESH
        self._look_at = time.monotonic() + _RETRY
        try:
            known = credentials.logged_in(self._environment)
            if known is not None:
                self._write(known)
            else:
                self._ask()
        except OSError as error:
            log.warning("cannot ask the CLI whether it is logged in: %s", error)
        finally:
            self._is_refreshing = False

    def _ask(self) -> None:
        lock = open_file(self._lock, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _, age = self._read()
            # Another process may have asked meanwhile.
            if not 0 <= age < FRESH or credentials.changed_within(self._environment, age):
                self._run_with(lock)
        except BlockingIOError:
            self._refresh_at = time.monotonic() + _RETRY
        finally:
            # Only now, because the next process to have the lock reads the answer.
            os.close(lock)

    def _run_with(self, lock: int) -> None:
        probe = auth_status.start(self._claude, self._environment, lock)
        try:
            if not probe.wait(auth_status.PATIENCE):
                self._write(None)
                log.warning("claude auth status has not answered within %g s", auth_status.PATIENCE)
                probe.wait(None)
            self._write(auth_status.logged_in(probe.stdout()))
        finally:
            probe.close()

    def _write(self, known: bool | None) -> None:
        replace_file(self._file, json.dumps(known).encode())
