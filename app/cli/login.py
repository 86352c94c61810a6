"""Whether the CLI is logged in, asked of it now and then; knows gevent."""

import fcntl
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

import gevent

from app.cli import auth_status, credentials
from app.cli.probe import Question
from app.state.files import open_file, read_file, replace_file

log = logging.getLogger(__name__)

#: Seconds that an answer counts. Asking costs 0.3 s of CPU time.
FRESH = 60.0
#: Seconds until a worker that could not ask, because another one does, looks again.
_ANOTHER = 1.0
_LONGEST = 100


class Login:
    """Whether the CLI is logged in, shared by all workers through one file.

    `claude auth status` is run by one worker at a time: two CLIs that start at once under one
    HOME have been seen to corrupt its settings (2.1.197). It is never killed, and not run while
    it might refresh the token (see `app.cli.credentials`).
    """

    def __init__(self, state: Path, claude: str, environment: Mapping[str, str]) -> None:
        self._file = f"{state}/login.json"
        self._lock = f"{state}/login.lock"
        self._claude = claude
        self._environment = dict(environment)
        self._is_asking = False
        self._ask_at = 0.0

    def logged_in(self) -> bool | None:
        """What is known now, without waiting: None if the CLI has not answered yet.

        An old answer is given once more while a new one is fetched.
        """
        known, age = self._read()
        is_due = time.monotonic() >= self._ask_at and not 0 <= age < FRESH
        if is_due and not self._is_asking:
            self._is_asking = True
            gevent.spawn(self._refresh)
        return known

    def _read(self) -> tuple[bool | None, float]:
        """The last answer, and its age in seconds."""
        try:
            known = json.loads(read_file(self._file, _LONGEST))
            age = time.time() - os.lstat(self._file).st_mtime
        except (OSError, ValueError):
            return None, FRESH
        return (known if isinstance(known, bool) else None), age

    def _refresh(self) -> None:
        self._ask_at = time.monotonic() + FRESH
        try:
            known = credentials.logged_in(self._environment)
            if known is not None:
                self._write(known)
            else:
                self._ask()
        except OSError as error:
            log.warning("cannot ask the CLI whether it is logged in: %s", error)
        finally:
            self._is_asking = False

    def _ask(self) -> None:
        lock = open_file(self._lock, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It keeps the lock until it has exited, even if this worker ends before.
            question = Question([self._claude, "auth", "status"], self._environment, lock)
        except BlockingIOError:
            self._ask_at = time.monotonic() + _ANOTHER
            return
        finally:
            os.close(lock)
        try:
            if not question.wait(auth_status.PATIENCE):
                self._write(None)
                log.warning("claude auth status has not answered within %g s", auth_status.PATIENCE)
                question.wait(None)
            self._write(auth_status.logged_in(question.answer()))
        finally:
            question.close()

    def _write(self, known: bool | None) -> None:
        replace_file(self._file, json.dumps(known).encode())
