"""Failed attempts to sign in, counted per address over all workers."""

import hashlib
import math
import os
import time
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from app.errors import TooManyAttempts
from app.lock import locked

#: Seconds from an address's first failure until its failures are forgotten.
WINDOW = 60.0


class Throttle:
    """Lets an address fail so many times in a minute, and then not try until it is over.

    One small file per address that failed lately: when it began, and a byte per failure. An
    address that never failed costs one failed open.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._cleaned = 0.0
        if limit:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check(self, address: str) -> None:
        """Raises TooManyAttempts if this address may not try now."""
        if not self._limit:
            return
        begun, count = self._read(self._file(address))
        if count >= self._limit:
            raise TooManyAttempts(max(1, math.ceil(begun + WINDOW - time.time())))

    def count(self, address: str) -> None:
        """Note that an attempt from this address failed.

        Raises TooManyAttempts if so many failed at the same time that it did not count.
        """
        if not self._limit:
            return
        file = self._file(address)
        with locked(self._folder):
            self.check(address)
            if self._read(file)[1] == 0:
                self._clean()
                # Whole, or a reader would see no failure for a moment. Rounded down, because
                # a beginning in the future would not count.
                temporary = file.with_suffix(f".{os.getpid()}")
                temporary.write_bytes(b"%.3f\nx" % (math.floor(time.time() * 1000) / 1000))
                temporary.replace(file)
                return
            with file.open("ab") as failures:
                failures.write(b"x")

    def _read(self, file: Path) -> tuple[float, int]:
        """When the failures in this file began, and how many still count."""
        try:
            begun, _, failures = file.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return 0.0, 0
        age = time.time() - float(begun or 0)
        # A clock that was set back must not lock anybody out for longer.
        return (float(begun), len(failures)) if 0 <= age < WINDOW else (0.0, 0)

    def _file(self, address: str) -> Path:
        return self._folder / hashlib.sha256(_network(address).encode()).hexdigest()[:32]

    def _clean(self) -> None:
        now = time.time()
        if now - self._cleaned < WINDOW:
            return
        self._cleaned = now
        for file in self._folder.iterdir():
            if now - file.stat().st_mtime > WINDOW:
                file.unlink(missing_ok=True)


def _network(address: str) -> str:
    """What counts as one address: of IPv6 the /64, all of which one client may hold.

    >>> _network("2001:db8::1") == _network("2001:db8::2")
    True
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)
