"""Failed attempts to sign in, counted per address over all workers."""

import hashlib
import logging
import math
import os
import time
from contextlib import suppress
from pathlib import Path

from app.client_address import network_of
from app.errors import TooManyAttempts
from app.state.files import discard, make_folder, open_file, replace_file, write_file

log = logging.getLogger(__name__)

#: Seconds from an address's first failure until its failures are forgotten.
WINDOW = 60.0
#: Seconds for which it is remembered that an address signed in.
LATELY = 86_400.0
#: How many times as much an address may fail that signed in lately, or all behind one proxy.
PATIENCE_WITH_KNOWN = 100
# An address that signs in is noted anew when its note is so old.
_NOTE_AGAIN = LATELY / 24
# Addresses that one process remembers to have noted.
_MOST_NOTED = 10_000
# Bytes in which the first line ends.
_HEAD = 32
# Failures of one address, beyond what is let happen, that may be counted at once.
_SLACK = 10_000


class Throttle:
    """Lets an address fail so many times in a minute, and then not try until it is over.

    One small file per address that failed lately: when it began, and a byte per failure. An
    address that never failed costs one failed open. Another file per address that signed in
    lately: its right credentials are let in, whatever else comes from there.
    """

    def __init__(self, state: Path, limit: int) -> None:
        self._failures = state / "failures"
        self._signed_in = state / "addresses"
        self._limit = limit
        self._cleaned = 0.0
        self._noted: dict[str, float] = {}
        if limit:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self._failures, self._signed_in):
                make_folder(str(folder))

    def check(self, address: str, proxy: str = "", is_right: bool = False) -> None:
        """Raises TooManyAttempts if this address may not try now.

        `proxy` is the one that named the address, if one did. `is_right` says that the
        credentials are: they are refused only where an address is unknown, or fails very often.
        """
        if not self._limit:
            return
        is_known = is_right and self._is_known(address)
        limits = [(_name(address), self._most() if is_known else self._limit)]
        if proxy and not is_known:
            limits.append((_name_behind(proxy), self._most()))
        for name, limit in limits:
            begun, count = self._read(name)
            if count >= limit:
                raise _too_many(begun)

    def count(self, address: str, proxy: str = "") -> None:
        """Note that an attempt from this address failed.

        A client that can name its own address to the `proxy` may name another each time: so all
        that comes through one is counted together, too. Raises TooManyAttempts if so many have
        failed that it does not count.
        """
        if not self._limit:
            return
        if proxy:
            self._count(_name_behind(proxy), self._most())
        self._count(_name(address), self._limit)

    def _count(self, name: str, limit: int) -> None:
        path = str(self._failures / name)
        begun, count = self._read(name)
        if count == 0:
            self._clean()
            if self._begin(path):
                return
            begun, _ = self._read(name)
        elif count >= self._most():
            raise _too_many(begun)
        if self._append(path) > limit:
            raise _too_many(begun)

    def welcome(self, address: str) -> None:
        """Note that this address signed in."""
        if not self._limit:
            return
        name, now = _name(address), time.time()
        if 0 <= now - self._noted.get(name, -LATELY) < _NOTE_AGAIN:
            return
        if len(self._noted) >= _MOST_NOTED:
            self._noted.clear()
        self._noted[name] = now
        try:
            # A job may have removed it.
            make_folder(str(self._signed_in))
            replace_file(str(self._signed_in / name), b"%.3f\n" % now)
        except OSError as error:
            log.error("cannot note that an address signed in: %s", error.strerror)

    def _most(self) -> int:
        return self._limit * PATIENCE_WITH_KNOWN

    def _is_known(self, address: str) -> bool:
        signed_in, _ = _read_moment(self._signed_in / _name(address), LATELY)
        return signed_in > 0

    def _read(self, name: str) -> tuple[float, int]:
        """When the failures of an address began, and how many still count."""
        return _read_moment(self._failures / name, WINDOW, self._most())

    def _begin(self, path: str) -> bool:
        """Count the first failure; False if another one was faster."""
        # Whole, or a reader would see no failure for a moment. Rounded down, because a
        # beginning in the future would not count.
        first = b"%.3f\nx" % (math.floor(time.time() * 1000) / 1000)
        temporary = f"{path}.{os.getpid()}.{time.monotonic_ns()}"
        # A job may have removed it.
        make_folder(str(self._failures))
        write_file(temporary, first)
        try:
            os.link(temporary, path)
        except FileExistsError:
            if self._read(Path(path).name)[1]:
                return False
            # It is over, or damaged.
            replace_file(path, first)
        finally:
            discard(temporary)
        return True

    def _append(self, path: str) -> int:
        """Count one more failure; how many there are."""
        descriptor = open_file(path, os.O_RDWR | os.O_APPEND)
        try:
            os.write(descriptor, b"x")
            end = os.lseek(descriptor, 0, os.SEEK_CUR)
            first_line, _, _ = os.pread(descriptor, _HEAD, 0).partition(b"\n")
            return end - len(first_line) - 1
        finally:
            os.close(descriptor)

    def _clean(self) -> None:
        now = time.time()
        if now - self._cleaned < WINDOW:
            return
        self._cleaned = now
        for folder, age in ((self._failures, WINDOW), (self._signed_in, LATELY)):
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if now - entry.stat(follow_symlinks=False).st_mtime > age:
                        discard(entry.path)


def _too_many(begun: float) -> TooManyAttempts:
    return TooManyAttempts(max(1, math.ceil(begun + WINDOW - time.time())))


def _read_moment(path: Path, age: float, most: int = 0) -> tuple[float, int]:
    """The moment in a file's first line, and the bytes after it; zeros if it is older than that.

    A file that is none of ours, or damaged, counts as missing.
    """
    try:
        descriptor = open_file(str(path))
    except OSError:
        return 0.0, 0
    try:
        size = os.fstat(descriptor).st_size
        head, newline, _ = os.pread(descriptor, _HEAD, 0).partition(b"\n")
        begun, count = float(head), size - len(head) - 1
    except (OSError, ValueError):
        return 0.0, 0
    finally:
        os.close(descriptor)
    # Attempts that come together may be a few too many.
    is_ours = newline and count <= most + _SLACK
    # A clock that was set back must not make a lockout longer.
    return (begun, count) if is_ours and 0 <= time.time() - begun < age else (0.0, 0)


def _name(address: str) -> str:
    return hashlib.sha256(network_of(address).encode()).hexdigest()[:32]


def _name_behind(proxy: str) -> str:
    return _name(f"behind {network_of(proxy)}")
