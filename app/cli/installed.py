"""The installed CLI, whose version is found again when it is updated; knows gevent."""

import logging
import time
from collections.abc import Mapping

import gevent

from app.cli.capabilities import Capabilities
from app.cli.capability_file import Binary
from app.cli.known_capabilities import KnownCapabilities
from app.cli.locator import (
    VERSION_PATIENCE,
    Claude,
    Identity,
    identity,
    is_still,
    number_in,
    version_in,
)
from app.cli.probe import Probe

log = logging.getLogger(__name__)

#: Seconds after which the version is read again though the binary has not changed: it may be a
#: wrapper, which runs another CLI by now.
FRESH = 600.0
#: Seconds before the next try after a CLI printed no version; an update may be running.
_RETRY = 1.0


class Installed:
    """The CLI that was found at the start, its current version, and what it can do.

    Reading the version never waits: the last known one is returned while a new one is read. `state`
    is STATE_DIR.
    """

    def __init__(self, claude: Claude, environment: Mapping[str, str], state: str) -> None:
        self.path = claude.path
        #: When the binary was written (Unix), for clients that want a date.
        self.since = int(claude.since)
        self._environment = dict(environment)
        self._version = claude.version
        self._identity = claude.identity
        self._known = KnownCapabilities(state, claude.path, environment)
        self._read_at = time.monotonic()
        self._retry_at = 0.0
        self._is_reading = False

    @property
    def version(self) -> str:
        """What `--version` printed, like `2.1.330 (Claude Code)`."""
        self._look()
        return self._version

    @property
    def number(self) -> tuple[int, ...]:
        """The version as numbers to compare, empty if it has none."""
        return number_in(self.version)

    @property
    def capabilities(self) -> Capabilities:
        """What the CLI can do, without waiting; None while that is not known."""
        return self.wait_for_capabilities(0.0)

    def wait_for_capabilities(self, patience: float) -> Capabilities:
        """The same, but wait up to `patience` seconds while it is being found out."""
        self._look()
        if self._identity is None:
            return None
        return self._known.wait_for(Binary(*self._identity, self._version), patience)

    def stop(self) -> None:
        """Leave no process of the CLI behind: the worker stops."""
        self._known.stop()

    def _look(self) -> None:
        """Start reading the version if the binary has changed."""
        now = time.monotonic()
        if self._is_reading or now < self._retry_at:
            return
        is_fresh = now - self._read_at < FRESH
        if is_fresh and is_still(self._identity, self.path):
            return
        found = identity(self.path)
        if found is None or (is_fresh and found == self._identity):
            return
        self._is_reading = True
        gevent.spawn(self._read, found)

    def _read(self, found: Identity) -> None:
        try:
            version = self._run()
        except OSError as error:
            log.debug("cannot run claude --version: %s", error)
            version = None
        finally:
            self._is_reading = False
        self._read_at = time.monotonic()
        if version is None:
            self._retry_at = self._read_at + _RETRY
            return
        if version != self._version:
            log.info("using %s %s from now on, before it was %s", self.path, version, self._version)
        self._version, self._identity = version, found

    def _run(self) -> str | None:
        probe = Probe([self.path, "--version"], self._environment)
        try:
            if not probe.wait(VERSION_PATIENCE):
                probe.kill()
                return None
            # None if another part of this process has waited for the child.
            has_failed = probe.status not in (0, None)
            return None if has_failed else version_in(probe.stdout()) or None
        finally:
            probe.close()
