"""What the installed CLI can do, found out once for each binary; knows gevent."""

import fcntl
import logging
import os
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress

import gevent

from app import processes
from app.cli.capabilities import ALL, Capabilities, missing
from app.cli.capability_file import (
    Binary,
    has_failed,
    note_failure,
    read_capabilities,
    write_capabilities,
)
from app.cli.capability_probe import ProbeFailed, find_capabilities
from app.state.files import make_folder, open_file
from app.state.remove_tree import remove

log = logging.getLogger(__name__)

#: Seconds until the next probe of a binary after one has failed.
AFTER_FAILURE = 600.0
# Seconds before the next look while another process probes; while a request waits for the answer.
_RETRY = 0.5
_PAUSE = 0.05
# Seconds for the removal of the few files that a probe makes.
_CLEANUP_PATIENCE = 2.0


class KnownCapabilities:
    """The capabilities of a CLI, shared by all workers through one file.

    One worker at a time probes the CLI, in the background.
    """

    def __init__(self, state: str, claude: str, environment: Mapping[str, str]) -> None:
        self._state = state
        self._claude = claude
        self._environment = dict(environment)
        # A failure holds until the gateway is started anew, or the environment is another one.
        self._master = processes.identify(os.getppid()) or processes.this_process()
        self._digest = zlib.crc32(repr(sorted(self._environment.items())).encode())
        self._known: tuple[Binary, frozenset[str]] | None = None
        self._tried: Binary | None = None
        self._is_probing = False
        self._probing: gevent.Greenlet[..., None] | None = None
        self._has_failed = self._has_stopped = False
        self._retry_at = 0.0

    def of(self, binary: Binary) -> Capabilities:
        """The capabilities of the binary, without waiting: None while they are not known."""
        if self._known is not None and self._known[0] == binary:
            return self._known[1]
        if self._is_probing:
            return None
        # Each time: another worker may know by now.
        if self._read(binary):
            return self.of(binary)
        if binary == self._tried and time.monotonic() < self._retry_at:
            return None
        self._tried, self._has_failed = binary, False
        if self._has_stopped:
            return None
        self._is_probing = True
        self._probing = gevent.spawn(self._find, binary)
        return None

    def wait_for(self, binary: Binary, patience: float) -> Capabilities:
        """The same, but wait up to `patience` seconds for a probe that runs."""
        deadline = time.monotonic() + patience
        while (found := self.of(binary)) is None:
            if self._has_failed or time.monotonic() >= deadline:
                break
            time.sleep(_PAUSE)
        return found

    def stop(self) -> None:
        """End a probe that runs, with its process, and begin no other: the worker stops."""
        self._has_stopped = True
        if self._probing is not None:
            self._probing.kill(timeout=_CLEANUP_PATIENCE)

    def _read(self, binary: Binary) -> bool:
        """Read what another process, or an earlier one, has found out; whether it has."""
        found = read_capabilities(self._state, binary, ALL)
        if found is None:
            return False
        self._known = binary, found
        return True

    def _find(self, binary: Binary) -> None:
        self._retry_at = time.monotonic() + AFTER_FAILURE
        try:
            lock = open_file(f"{self._state}/capabilities.lock", os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not self._read(binary) and not self._was_tried(binary):
                    self._probe(binary)
            finally:
                os.close(lock)
        except BlockingIOError:
            self._retry_at = time.monotonic() + _RETRY
        except (OSError, ProbeFailed) as error:
            self._has_failed = True
            log.warning(
                "cannot find out what %s can do, so jobs run without what is new: %s",
                self._claude,
                error,
            )
        finally:
            self._is_probing = False

    def _was_tried(self, binary: Binary) -> bool:
        """Whether another worker has tried in vain: one probe serves them all."""
        found = has_failed(self._state, binary, self._master, self._digest, AFTER_FAILURE)
        self._has_failed = self._has_failed or found
        return found

    def _probe(self, binary: Binary) -> None:
        # There is at most one: a worker that is killed meanwhile leaves it to the next probe.
        scratch = f"{self._state}/probe"
        remove(scratch, _CLEANUP_PATIENCE)
        make_folder(scratch)
        try:
            found = find_capabilities(self._claude, self._environment, scratch)
        except (OSError, ProbeFailed):
            with suppress(OSError):
                # If this fails, each worker tries for itself.
                note_failure(self._state, binary, self._master, self._digest)
            raise
        finally:
            remove(scratch, _CLEANUP_PATIENCE)
        try:
            # First: what this worker says, the others know.
            write_capabilities(self._state, binary, ALL, found)
        finally:
            self._known = binary, found
        lacks = ", ".join(missing(found)) or "nothing that the gateway uses"
        log.info("%s %s lacks %s", self._claude, binary.version, lacks)
