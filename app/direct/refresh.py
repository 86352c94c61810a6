"""The refresh of the CLI's login, by an idle CLI; knows gevent.

The gateway never asks for a token itself. Only the CLI knows how to, and what a token endpoint has
answered must be saved, or the user is logged out. A CLI that waits for its first message refreshes
a token with less than five minutes left, without a call of the model (2.1.330).
"""

import fcntl
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

import gevent

from app.cli import auth_status
from app.cli.credentials import login_in, path_of
from app.cli.probe import Probe
from app.state.files import open_file

log = logging.getLogger(__name__)

#: Seconds before its end in which the CLI refreshes a token.
DUE = 290.0
#: Seconds for which the CLI's standard input is held open: it ends with that.
PATIENCE = 60.0
# Seconds between two attempts of one worker, if the first was in vain.
_AGAIN = 60.0
# Seconds that the CLI has to exit, and between two looks at the file.
_EXIT = 10.0
_PAUSE = 0.2
_ARGUMENTS = (
    *("--print", "--verbose", "--input-format=stream-json", "--output-format=stream-json"),
    # It reads no project, starts no server and has no tool.
    *("--setting-sources=", "--strict-mcp-config", "--tools="),
)


class Refresher:
    """Has the login refreshed. One process at a time does it, over all workers."""

    def __init__(self, state: str, claude: str, environment: Mapping[str, str]) -> None:
        self._command = [claude, *_ARGUMENTS]
        self._environment = dict(environment)
        # It is also held while `claude auth status` runs, which may refresh, too.
        self._lock = auth_status.lock_path(Path(state))
        self._is_running = False
        self._not_before = 0.0

    def start_if_due(self, expires_at: float) -> None:
        """Begin a refresh if the token expires soon (seconds since the epoch); does not wait."""
        is_due = expires_at - time.time() < DUE
        if is_due and not self._is_running and time.monotonic() >= self._not_before:
            self._is_running = True
            gevent.spawn(self._run)

    def wait(self) -> None:
        """Wait until the file has a token that has not expired, or until that is hopeless."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            login = login_in(self._environment)
            if login is None or login.expires_at > time.time():
                return
            # Again, if another process has only asked the CLI whether it is logged in.
            self.start_if_due(login.expires_at)
            if not self._is_busy():
                return
            time.sleep(_PAUSE)

    def _is_busy(self) -> bool:
        """Whether some process refreshes now."""
        if self._is_running:
            return True
        try:
            lock = open_file(self._lock, os.O_RDWR | os.O_CREAT)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _run(self) -> None:
        try:
            lock = open_file(self._lock, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                login = login_in(self._environment)
                if login is not None and login.expires_at - time.time() < DUE:
                    self._refresh(lock)
            except BlockingIOError:
                # Another process does it, or asks the CLI whether it is logged in.
                pass
            finally:
                os.close(lock)
        except OSError as error:
            log.warning("cannot have the CLI refresh its login: %s", error)
        finally:
            self._is_running = False

    def _refresh(self, lock: int) -> None:
        path = path_of(self._environment)
        before = _stamp(path)
        log.info("the CLI's login expires soon; an idle CLI is started to refresh it")
        probe = Probe(self._command, self._environment, lock, keeps_stdin=True)
        try:
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline and _stamp(path) == before:
                if probe.wait(_PAUSE):
                    break
            # Never killed: it may be in the middle of the refresh.
            probe.end_stdin()
            if probe.status is None and not probe.wait(_EXIT):
                log.warning("the CLI that refreshes the login does not end")
                probe.wait(None)
        finally:
            probe.close()
        if _stamp(path) == before:
            self._not_before = time.monotonic() + _AGAIN
            log.warning("the CLI has not refreshed its login; run claude to log in again")


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - it can be a link
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
