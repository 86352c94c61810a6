"""The limit on a worker's open connections.

A connection costs its client almost nothing, and file descriptors are few: without a limit, one
client that connects often enough shuts all others out. A connection counts as authenticated once a
request with valid credentials has arrived on it. The others are limited per address and in total,
and the one that has been idle longest closes for a new one. An authenticated connection closes
for another only while it has no request.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socket import SHUT_RDWR
from typing import NamedTuple

from app.client_address import network_of
from app.server.connection import Connection

#: Unauthenticated connections per address.
MOST_PER_ADDRESS = 256
#: Descriptors that an authenticated connection needs at most: its own and, for a job's stream,
#: those of the output, of the supervisor and of the connection to the launcher.
COST_AUTHENTICATED = 4
#: Descriptors that any other connection needs at most: its own and that of one file.
COST_UNAUTHENTICATED = 2
#: Descriptors reserved for everything else that a worker opens.
RESERVED = 32
# Even with very few descriptors, this many connections of each kind are accepted.
_LEAST = 8


class ConnectionLimits(NamedTuple):
    """How many connections of each kind may be open."""

    authenticated: int
    unauthenticated: int

    @classmethod
    def for_descriptors(cls, descriptors: int, most: int) -> "ConnectionLimits":
        """The limits for so many free descriptors, with at most `most` connections in all.

        >>> ConnectionLimits.for_descriptors(200, 1000)
        ConnectionLimits(authenticated=31, unauthenticated=21)
        >>> ConnectionLimits.for_descriptors(60000, 1000)
        ConnectionLimits(authenticated=750, unauthenticated=250)
        """
        free = max(0, descriptors - RESERVED)
        authenticated = min(free * 3 // 4 // COST_AUTHENTICATED, most * 3 // 4)
        unauthenticated = min(free // 4 // COST_UNAUTHENTICATED, most // 4)
        return cls(max(_LEAST, authenticated), max(_LEAST, unauthenticated))


class OpenConnections:
    """All connections of a worker. `is_proxy` tells whether an address is a trusted proxy's."""

    def __init__(self, limits: ConnectionLimits, is_proxy: Callable[[str], bool]) -> None:
        self._limits = limits
        self._is_proxy = is_proxy
        # Each dictionary has the connections that were idle longest first.
        self._unauthenticated: dict[str, dict[Connection, None]] = {}
        self._authenticated: dict[Connection, None] = {}
        self._busy: set[Connection] = set()

    def add(self, connection: Connection) -> None:
        """Add a new connection, and close another one if there are too many."""
        address = network_of(connection.address)
        group = self._unauthenticated.setdefault(address, {})
        group[connection] = None
        connection.mark_authenticated = partial(self._mark_authenticated, connection)
        if len(group) > MOST_PER_ADDRESS and not self._is_proxy(connection.address):
            self._close(next(iter(group)))
        elif sum(map(len, self._unauthenticated.values())) > self._limits.unauthenticated:
            # From the address with the most, so that it shuts out only itself.
            largest = max(self._unauthenticated, key=lambda each: len(self._unauthenticated[each]))
            self._close(next(iter(self._unauthenticated[largest])))

    def mark_busy(self, connection: Connection) -> None:
        """Note that a request of this connection is being answered."""
        if self._move_to_end(connection):
            self._busy.add(connection)

    def mark_idle(self, connection: Connection) -> None:
        """Note that this connection waits for its next request."""
        self._busy.discard(connection)
        self._move_to_end(connection)

    def remove(self, connection: Connection) -> None:
        """Remove a connection that is being closed."""
        self._busy.discard(connection)
        self._authenticated.pop(connection, None)
        address = network_of(connection.address)
        group = self._unauthenticated.get(address, {})
        group.pop(connection, None)
        if not group:
            self._unauthenticated.pop(address, None)

    def close_idle(self) -> None:
        """Close every connection that waits for a request."""
        for connection in self._all() - self._busy:
            _shut_down(connection)

    def close_all(self) -> None:
        """Close every connection."""
        for connection in self._all():
            _shut_down(connection)

    def __len__(self) -> int:
        return len(self._authenticated) + sum(map(len, self._unauthenticated.values()))

    def _mark_authenticated(self, connection: Connection) -> bool:
        if connection in self._authenticated:
            return True
        if len(self._authenticated) >= self._limits.authenticated:
            idle = (each for each in self._authenticated if each not in self._busy)
            longest = next(idle, None)
            if longest is None:
                return False
            self._close(longest)
        is_busy = connection in self._busy
        self.remove(connection)
        self._authenticated[connection] = None
        if is_busy:
            self._busy.add(connection)
        return True

    def _move_to_end(self, connection: Connection) -> bool:
        """Make it the last one to be closed. Returns False if it has been closed already."""
        group = self._unauthenticated.get(network_of(connection.address), {})
        for connections in (self._authenticated, group):
            if connection in connections:
                del connections[connection]
                connections[connection] = None
                return True
        return False

    def _close(self, connection: Connection) -> None:
        self.remove(connection)
        _shut_down(connection)

    def _all(self) -> set[Connection]:
        return {*self._authenticated}.union(*self._unauthenticated.values())


def _shut_down(connection: Connection) -> None:
    # The client may have closed it already.
    with suppress(OSError):
        connection.shutdown(SHUT_RDWR)
