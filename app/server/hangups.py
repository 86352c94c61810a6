"""Which clients have hung up: one epoll (epoll(7)) for all of a worker; knows gevent.

libev only watches for data to read. A client that has ended its sending half is always readable;
whether it has gone for good is another event, which epoll reports.
"""

from collections.abc import Callable
from select import EPOLLERR, EPOLLHUP, EPOLLONESHOT, EPOLLRDHUP

from gevent import get_hub, monkey

_READABLE = 1


class Hangups:
    """Calls back when connections end; a callback runs in the hub and must not wait."""

    def __init__(self) -> None:
        # gevent takes it out of its module.
        self._epoll = monkey.get_original("select", "epoll")()
        self._callbacks: dict[int, Callable[[bool], None]] = {}
        self._watcher = get_hub().loop.io(self._epoll.fileno(), _READABLE)
        self._watcher.start(self._look)

    def watch(self, descriptor: int, callback: Callable[[bool], None]) -> None:
        """Report the end of a connection's receiving half (False), or of the whole (True)."""
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, EPOLLRDHUP | EPOLLONESHOT)

    def watch_on(self, descriptor: int) -> None:
        """Go on after the end of the receiving half, until the whole connection ends."""
        # epoll always reports the end of the whole.
        self._epoll.modify(descriptor, EPOLLONESHOT)

    def forget(self, descriptor: int) -> None:
        """Watch a connection no more; it is still open."""
        del self._callbacks[descriptor]
        self._epoll.unregister(descriptor)

    def _look(self) -> None:
        for descriptor, events in self._epoll.poll(0):
            if callback := self._callbacks.get(descriptor):
                callback(bool(events & (EPOLLHUP | EPOLLERR)))
