"""The limit on failed logins of an address, over all workers."""

import hashlib
import logging
import math
import os
import time
from pathlib import Path

from app.client_address import network_of
from app.errors import TooManyAttempts
from app.state.files import discard, make_folder, open_file, replace_file, write_file
from app.state.old_files import remove_old_files

log = logging.getLogger(__name__)

#: Seconds from the first failure of an address until its failures are forgotten.
WINDOW = 60.0
#: Seconds that a login of an address is remembered.
LOGIN_MEMORY = 86_400.0
#: The factor of the limit for addresses with a recent login, and for all clients of one proxy.
KNOWN_FACTOR = 100
# Seconds after which a new login of the same address is recorded again.
_RECORD_AGAIN = LOGIN_MEMORY / 24
# Addresses whose last record one process remembers.
_MOST_RECORDED = 10_000
# The most bytes of a file's first line.
_HEAD = 32
# Failures above the limit that simultaneous attempts may add.
_SLACK = 10_000


class Throttle:
    """Allows an address `limit` failures in a minute, and then no attempt until it is over.

    Each address that failed recently has a small file: the time of its first failure, and a byte
    per failure. For any other address a check costs one failed open. Each address that signed in
    recently has a file, too: its valid credentials are accepted, whatever else fails from there.
    """

    def __init__(self, state: Path, limit: int) -> None:
        self._failures = state / "failures"
        self._signed_in = state / "addresses"
        self._limit = limit
        self._cleaned = 0.0
        self._recorded: dict[str, float] = {}
        if limit:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self._failures, self._signed_in):
                make_folder(str(folder))

    def check(self, address: str, proxy: str = "", is_valid: bool = False) -> None:
        """Raises TooManyAttempts if this address may not try to log in now.

        `proxy` is the address of the proxy that reported the client's, if any. `is_valid`: the
        credentials are valid, and refused only if the address is unknown or fails very often.
        """
        if not self._limit:
            return
        is_known = is_valid and self._is_known(address)
        limits = [(_name(address), self._most() if is_known else self._limit)]
        if proxy and not is_known:
            limits.append((_name_of_proxy(proxy), self._most()))
        for name, limit in limits:
            since, count = self._read(name)
            if count >= limit:
                raise _too_many(since)

    def record_failure(self, address: str, proxy: str = "") -> None:
        """Record that a login from this address failed.

        A client that can choose the address which the `proxy` reports may choose another each
        time, so all failures through one proxy are counted together, too. Raises TooManyAttempts
        if the address is above its limit.
        """
        if not self._limit:
            return
        if proxy:
            self._count(_name_of_proxy(proxy), self._most())
        self._count(_name(address), self._limit)

    def _count(self, name: str, limit: int) -> None:
        path = str(self._failures / name)
        since, count = self._read(name)
        if count == 0:
            self._clean()
            if self._create(path):
                return
            since, _ = self._read(name)
        elif count >= self._most():
            raise _too_many(since)
        if self._append(path) > limit:
            raise _too_many(since)

    def record_login(self, address: str) -> None:
        """Record that a client at this address signed in."""
        if not self._limit:
            return
        name, now = _name(address), time.time()
        if 0 <= now - self._recorded.get(name, -LOGIN_MEMORY) < _RECORD_AGAIN:
            return
        if len(self._recorded) >= _MOST_RECORDED:
            self._recorded.clear()
        self._recorded[name] = now
        try:
            # A job may have removed the folder.
            make_folder(str(self._signed_in))
            replace_file(str(self._signed_in / name), b"%.3f\n" % now)
        except OSError as error:
            log.error("cannot record a login: %s", error.strerror)

    def _most(self) -> int:
        return self._limit * KNOWN_FACTOR

    def _is_known(self, address: str) -> bool:
        signed_in, _ = _read_moment(self._signed_in / _name(address), LOGIN_MEMORY)
        return signed_in > 0

    def _read(self, name: str) -> tuple[float, int]:
        """The time of an address's first failure, and how many failures count."""
        return _read_moment(self._failures / name, WINDOW, self._most())

    def _create(self, path: str) -> bool:
        """Record the first failure. Returns False if another process was faster."""
        # Written whole, or a reader would see no failure for a moment. Rounded down, because a
        # time in the future would not count.
        first = b"%.3f\nx" % (math.floor(time.time() * 1000) / 1000)
        temporary = f"{path}.{os.getpid()}.{time.monotonic_ns()}"
        # A job may have removed the folder.
        make_folder(str(self._failures))
        write_file(temporary, first)
        try:
            os.link(temporary, path)
        except FileExistsError:
            if self._read(Path(path).name)[1]:
                return False
            # The file is out of date, or damaged.
            replace_file(path, first)
        finally:
            discard(temporary)
        return True

    def _append(self, path: str) -> int:
        """Record one more failure, and return how many there are."""
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
        remove_old_files(str(self._failures), WINDOW)
        remove_old_files(str(self._signed_in), LOGIN_MEMORY)


def _too_many(since: float) -> TooManyAttempts:
    return TooManyAttempts(max(1, math.ceil(since + WINDOW - time.time())))


def _read_moment(path: Path, age: float, most: int = 0) -> tuple[float, int]:
    """The time in a file's first line, and the number of bytes after it.

    Zeros if the file is missing, damaged, or `age` seconds old.
    """
    try:
        descriptor = open_file(str(path))
    except OSError:
        return 0.0, 0
    try:
        size = os.fstat(descriptor).st_size
        head, newline, _ = os.pread(descriptor, _HEAD, 0).partition(b"\n")
        since, count = float(head), size - len(head) - 1
    except (OSError, ValueError):
        return 0.0, 0
    finally:
        os.close(descriptor)
    # Simultaneous attempts may exceed the limit a little.
    is_sane = newline and count <= most + _SLACK
    # A clock that was set back must not make a lockout longer.
    return (since, count) if is_sane and 0 <= time.time() - since < age else (0.0, 0)


def _name(address: str) -> str:
    return hashlib.sha256(network_of(address).encode()).hexdigest()[:32]


def _name_of_proxy(proxy: str) -> str:
    return _name(f"behind {network_of(proxy)}")
