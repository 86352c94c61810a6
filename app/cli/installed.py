"""The CLI as it is installed now: its version is found again when it changes; knows gevent."""

import logging
import time
from collections.abc import Mapping

import gevent

from app.cli.locator import VERSION_PATIENCE, Claude, Identity, identity, number_in, version_in
from app.cli.probe import Question

log = logging.getLogger(__name__)

#: Seconds after which the version is asked for though the binary looks the same: it may be a
#: wrapper, which starts another one from now on.
FRESH = 600.0
#: Seconds until a CLI that gave no version is asked again; an update may be running.
_TRY_AGAIN = 1.0


class Installed:
    """The CLI that was found at the start, and its version as of now.

    Reading the version never waits: the last known one is given while a new one is asked for.
    """

    def __init__(self, claude: Claude, environment: Mapping[str, str]) -> None:
        self.path = claude.path
        #: When the binary was written (Unix), for clients that want a date.
        self.since = int(claude.since)
        self._environment = dict(environment)
        self._version = claude.version
        self._identity = claude.identity
        self._asked_at = time.monotonic()
        self._ask_at = 0.0
        self._is_asking = False

    @property
    def version(self) -> str:
        """What `--version` printed, like `2.1.330 (Claude Code)`."""
        self._look()
        return self._version

    @property
    def number(self) -> tuple[int, ...]:
        """The version for comparing, empty if it holds no number."""
        return number_in(self.version)

    def _look(self) -> None:
        """Ask for the version if the binary is another one than it was."""
        now = time.monotonic()
        if self._is_asking or now < self._ask_at:
            return
        found = identity(self.path)
        if found is None or (found == self._identity and now - self._asked_at < FRESH):
            return
        self._is_asking = True
        gevent.spawn(self._ask, found)

    def _ask(self, found: Identity) -> None:
        try:
            version = self._ask_version()
        except OSError as error:
            log.debug("cannot ask the CLI for its version: %s", error)
            version = None
        finally:
            self._is_asking = False
        self._asked_at = time.monotonic()
        if version is None:
            self._ask_at = self._asked_at + _TRY_AGAIN
            return
        if version != self._version:
            log.info("using %s %s from now on, before it was %s", self.path, version, self._version)
        self._version, self._identity = version, found

    def _ask_version(self) -> str | None:
        question = Question([self.path, "--version"], self._environment)
        try:
            if not question.wait(VERSION_PATIENCE):
                question.kill()
                return None
            # None if another part of this process has waited for the child.
            has_failed = question.status not in (0, None)
            return None if has_failed else version_in(question.answer()) or None
        finally:
            question.close()
