"""Whether the CLI is logged in, asked of it now and then; knows gevent."""

import fcntl
import json
import logging
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import gevent
from gevent import monkey
from gevent.socket import wait_read

from app.cli.account import PATIENCE, logged_in

log = logging.getLogger(__name__)

# The bare ones: gevent's wait for a SIGCHLD, and for ever if the CLI has exited before its
# handler was there (26.9.0).
_posix_spawn = monkey.get_original("os", "posix_spawn")
_waitpid = monkey.get_original("os", "waitpid")

#: Seconds that an answer counts. Asking costs 0.3 s of CPU time.
FRESH = 60.0


class Login:
    """What `claude auth status` says, shared by all workers through one file.

    The CLI is run by one worker at a time: two that start at once under one HOME have been
    seen to corrupt its settings (2.1.197).
    """

    def __init__(self, state: Path, claude: str, environment: Mapping[str, str]) -> None:
        self._file = state / "login.json"
        self._lock = state / "login.lock"
        self._claude = claude
        self._environment = dict(environment)
        self._asking = False

    def logged_in(self) -> bool | None:
        """What is known now, without waiting: None if the CLI has not answered yet.

        An old answer is given once more while a new one is fetched.
        """
        try:
            known = json.loads(self._file.read_bytes())
            age = time.time() - self._file.stat().st_mtime
        except FileNotFoundError:
            known, age = None, FRESH
        if not 0 <= age < FRESH and not self._asking:
            self._asking = True
            gevent.spawn(self._refresh)
        return None if known is None else bool(known)

    def _refresh(self) -> None:
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Another worker asks already.
                return
            temporary = self._file.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps(self._ask()), encoding="ascii")
            temporary.replace(self._file)
        finally:
            os.close(lock)
            self._asking = False

    def _ask(self) -> bool | None:
        try:
            return self._answer()
        except OSError as error:
            log.warning("cannot ask the CLI whether it is logged in: %s", error)
            return None

    def _answer(self) -> bool | None:
        output = os.memfd_create("login")
        try:
            # posix_spawn takes a tenth of a millisecond and needs no thread.
            pid = _posix_spawn(
                self._claude,
                [self._claude, "auth", "status"],
                self._environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ],
            )
            _wait_for_exit(pid)
            os.lseek(output, 0, os.SEEK_SET)
            return logged_in(os.read(output, 1 << 20))
        finally:
            os.close(output)


def _wait_for_exit(pid: int) -> None:
    """Wait for a child without blocking others; it is killed when PATIENCE is over."""
    descriptor = os.pidfd_open(pid)
    try:
        wait_read(descriptor, timeout=PATIENCE)
    except TimeoutError:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    finally:
        # libev reaps every child, once anybody here has spawned one through gevent.
        with suppress(ChildProcessError):
            _waitpid(pid, 0)
        os.close(descriptor)
