"""The notice that a client has hung up, by one epoll(7) per worker. Uses gevent.

libev only watches for readable data. A client that has shut down its sending half stays readable
for ever; that the whole connection has closed is another event, which epoll reports.
"""

from collections.abc import Callable
from select import EPOLLERR, EPOLLHUP, EPOLLONESHOT, EPOLLRDHUP

from gevent import get_hub, monkey

_READABLE = 1


class Hangups:
    """Calls back when clients hang up; a callback runs in the hub and must not block."""

    def __init__(self) -> None:
        # gevent removes it from its module.
        self._epoll = monkey.get_original("select", "epoll")()
        self._callbacks: dict[int, Callable[[bool], None]] = {}
        self._watcher = get_hub().loop.io(self._epoll.fileno(), _READABLE)
        self._watcher.start(self._dispatch)

    def watch(self, descriptor: int, callback: Callable[[bool], None]) -> None:
        """Call `callback` once: True if the connection closed, False if the client's half did."""
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, EPOLLRDHUP | EPOLLONESHOT)

    def watch_for_close(self, descriptor: int) -> None:
        """After the client's half has closed, call back when the whole connection closes."""
        # epoll reports EPOLLHUP and EPOLLERR without being asked.
        self._epoll.modify(descriptor, EPOLLONESHOT)

    def unwatch(self, descriptor: int) -> None:
        """Stop watching a connection, which is still open."""
        del self._callbacks[descriptor]
        self._epoll.unregister(descriptor)

    def _dispatch(self) -> None:
        for descriptor, events in self._epoll.poll(0):
            if callback := self._callbacks.get(descriptor):
                callback(bool(events & (EPOLLHUP | EPOLLERR)))
