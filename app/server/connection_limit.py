"""The connections that a worker has open, and which of them makes room for another.

A connection costs its client next to nothing, and descriptors are few: without a bound, one
client that connects often enough keeps all others out. A connection is proven once a request with
the right credentials has come over it. Those that are not are bounded for each address and
altogether, and the one that has been there longest gives way to the next; a proven one gives
way only while no request of its is being answered.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socket import SHUT_RDWR
from typing import NamedTuple

from app.client_address import network_of
from app.server.connection import Connection

#: Connections of one address that are not proven.
MOST_OF_ADDRESS = 256
#: Descriptors that a proven connection needs at most: its own, and of a job's stream the
#: output's, the supervisor's and the one by which the launcher is asked.
COST_PROVEN = 4
#: And one that is not: its own, and a file's.
COST_UNPROVEN = 2
#: Descriptors that are kept for whatever else a worker opens for a moment.
SPARE = 32
# With very few descriptors, some clients must be answered all the same.
_LEAST = 8


class Room(NamedTuple):
    """How many connections of each kind there may be."""

    proven: int
    unproven: int

    @classmethod
    def within(cls, descriptors: int, most: int) -> "Room":
        """What so many free descriptors have room for, and at most so many.

        >>> Room.within(200, 1000)
        Room(proven=31, unproven=21)
        >>> Room.within(60000, 1000)
        Room(proven=750, unproven=250)
        """
        free = max(0, descriptors - SPARE)
        proven = min(free * 3 // 4 // COST_PROVEN, most * 3 // 4)
        unproven = min(free // 4 // COST_UNPROVEN, most // 4)
        return cls(max(_LEAST, proven), max(_LEAST, unproven))


class Crowd:
    """All connections of a worker; `is_proxy`: whether an address is a trusted proxy."""

    def __init__(self, room: Room, is_proxy: Callable[[str], bool]) -> None:
        self._room = room
        self._is_proxy = is_proxy
        # In each of them, those that did nothing for longest come first.
        self._unproven: dict[str, dict[Connection, None]] = {}
        self._proven: dict[Connection, None] = {}
        self._working: set[Connection] = set()

    def enter(self, connection: Connection) -> None:
        """Take in a new connection; another may have to go for it."""
        address = network_of(connection.address)
        group = self._unproven.setdefault(address, {})
        group[connection] = None
        connection.prove = partial(self._prove, connection)
        if len(group) > MOST_OF_ADDRESS and not self._is_proxy(connection.address):
            self._drop(next(iter(group)))
        elif sum(map(len, self._unproven.values())) > self._room.unproven:
            # Of the address that has most, so that it keeps out none but itself.
            largest = max(self._unproven, key=lambda each: len(self._unproven[each]))
            self._drop(next(iter(self._unproven[largest])))

    def begin(self, connection: Connection) -> None:
        """A request of this connection is being answered."""
        if self._renew(connection):
            self._working.add(connection)

    def rest(self, connection: Connection) -> None:
        """It waits for the next request."""
        self._working.discard(connection)
        self._renew(connection)

    def leave(self, connection: Connection) -> None:
        """It is over."""
        self._working.discard(connection)
        self._proven.pop(connection, None)
        address = network_of(connection.address)
        group = self._unproven.get(address, {})
        group.pop(connection, None)
        if not group:
            self._unproven.pop(address, None)

    def end_idle(self) -> None:
        """End every connection that waits for a request."""
        for connection in self._all() - self._working:
            _end(connection)

    def end_all(self) -> None:
        """End every connection."""
        for connection in self._all():
            _end(connection)

    def __len__(self) -> int:
        return len(self._proven) + sum(map(len, self._unproven.values()))

    def _prove(self, connection: Connection) -> bool:
        if connection in self._proven:
            return True
        if len(self._proven) >= self._room.proven:
            resting = (each for each in self._proven if each not in self._working)
            longest = next(resting, None)
            if longest is None:
                return False
            self._drop(longest)
        working = connection in self._working
        self.leave(connection)
        self._proven[connection] = None
        if working:
            self._working.add(connection)
        return True

    def _renew(self, connection: Connection) -> bool:
        """Put it behind the others; False if it has been dropped."""
        for group in (self._proven, self._unproven.get(network_of(connection.address), {})):
            if connection in group:
                del group[connection]
                group[connection] = None
                return True
        return False

    def _drop(self, connection: Connection) -> None:
        self.leave(connection)
        _end(connection)

    def _all(self) -> set[Connection]:
        return {*self._proven}.union(*self._unproven.values())


def _end(connection: Connection) -> None:
    # One that has closed by itself is no longer connected.
    with suppress(OSError):
        connection.shutdown(SHUT_RDWR)
