"""A client's connection, which cannot hold its worker up; knows gevent.

gunicorn reads and writes it as if it were the socket. Neither a readable nor a writable socket
ever lets others have their turn by itself, so each connection does that here; and an answer
that its client does not take is given up, unless it is a job's stream.
"""

import errno
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent

from app.server.give_way import give_way
from app.server.hangups import Hangups

#: Seconds for which one connection keeps the others waiting.
TURN = 0.001
#: Seconds that a client has for each piece of an answer; streams of jobs may stall.
SEND_PATIENCE = 10.0
#: Bytes of such a piece.
PIECE = 1 << 16
#: Seconds for which is read what a refused client still sends, and of that without anything.
LINGER_SECONDS = 10.0
LINGER_SILENCE = 2.0
#: Bytes of it that are read at once, and seconds between two such pieces after them.
LINGER_FREE = 1 << 20
LINGER_PAUSE = 0.002

# The least that is read at once, however long it takes to make something of it.
_SMALLEST = 1 << 10


class Connection:
    """One connection, with the address of its other end."""

    def __init__(self, client: Any, address: str, hangups: Hangups) -> None:
        self._client = client
        self.address = address
        #: The answer that is on its way, or None if there is none.
        self.response: Any = None
        #: Whether its client has gone; nothing is sent any more.
        self.has_gone = False
        #: Makes room among the proven connections for this one; False if there is none.
        self.prove: Callable[[], bool] = lambda: True
        self._hangups = hangups
        self._followed = False
        self._sending = False
        self._turn_began = time.monotonic()
        self._piece = PIECE

    def begin(self, response: Any) -> None:
        """A request has come, but for its body; this will answer it."""
        self.response = response
        self._followed = False

    def finish(self) -> None:
        """The answer has been sent, whole; a next request may have come already."""
        self.response = None
        self._give_way()

    def recv(self, size: int) -> bytes:
        """At most so many bytes; fewer, if it takes long to make something of them."""
        if self._give_way():
            self._piece = max(_SMALLEST, self._piece // 2)
        else:
            self._piece = min(PIECE, self._piece * 2)
        self._client.settimeout(None)
        received: bytes = self._client.recv(min(size, self._piece))
        self._turn_began = time.monotonic()
        return received

    def sendall(self, data: bytes) -> None:
        """All of it. Raises OSError: BrokenPipeError, or TimeoutError if it is not taken."""
        if self.has_gone:
            raise BrokenPipeError(errno.EPIPE, "the client has gone")
        self._sending = True
        try:
            if self._may_stall():
                self._client.settimeout(None)
                self._client.sendall(data)
                return
            self._client.settimeout(SEND_PATIENCE)
            rest = memoryview(data)
            while rest:
                self._client.sendall(rest[:PIECE])
                rest = rest[PIECE:]
                self._give_way()
        finally:
            self._sending = False

    def shutdown(self, how: int) -> None:
        """As of a socket. Raises OSError if it is no longer connected."""
        self._client.shutdown(how)

    def close(self) -> None:
        """Close it; an answer that was cut off must not look whole."""
        if self.has_gone or self._is_cut_short():
            with suppress(OSError):
                # The other end sees a reset (SO_LINGER of socket(7)).
                self._client.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        self._client.close()

    def linger(self) -> None:
        """Read what is still on its way: closing with it unread would reset the connection, and
        the client might never see its answer (RFC 9112, section 9.6)."""
        self._client.shutdown(socket.SHUT_WR)
        self._client.settimeout(LINGER_SILENCE)
        received = 0
        with suppress(TimeoutError, gevent.Timeout), gevent.Timeout(LINGER_SECONDS):
            while piece := self._client.recv(PIECE):
                received += len(piece)
                if received < LINGER_FREE:
                    give_way()
                else:
                    # This is thrown away, so it need not be read as fast as it is sent.
                    gevent.sleep(LINGER_PAUSE)

    def has_more(self) -> bool:
        """Whether something has come that was not received."""
        try:
            return bool(self._client._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    @contextmanager
    def watch(self, gone: Callable[[], None]) -> Iterator[None]:
        """Call `gone`, in the hub, when the client goes away.

        A client that has only ended its sending half is still there. Which of the two it is
        shows when it is sent something, so it is sent something that means nothing.
        """
        descriptor = self._client.fileno()
        self._followed = True

        def ended(wholly: bool) -> None:
            if not wholly and self._probe():
                self._hangups.watch_on(descriptor)
            else:
                self.has_gone = True
                gone()

        self._hangups.watch(descriptor, ended)
        try:
            yield
        finally:
            self._hangups.forget(descriptor)

    def _probe(self) -> bool:
        """Send something to which a client that has gone answers with a reset (RFC 9293).

        The size of a chunk may begin with zeros (RFC 9112, section 7.1), and before an answer
        there may be others that are none (RFC 9110, section 15.2). False if it cannot be sent:
        HTTP/1.0 knows neither.
        """
        if self._sending:
            # What is on its way will do.
            return True
        response = self.response
        if response is None:
            return False
        if response.headers_sent:
            probe = b"0" if response.chunked else b""
        else:
            probe = b"HTTP/1.1 100 Continue\r\n\r\n" if response.req.version > (1, 0) else b""
        try:
            # The bare socket's: gevent's own would wait, which a callback must not.
            return bool(probe and self._client._sock.send(probe, socket.MSG_DONTWAIT))
        except BlockingIOError:
            # There is more on its way than it takes.
            return True
        except OSError:
            return False

    def _may_stall(self) -> bool:
        """Whether what is sent is a job's stream, which waits for its client on disk."""
        if not self._followed or self.response is None:
            return False
        return self.response.response_length is None

    def _is_cut_short(self) -> bool:
        """Whether an answer is not whole, and only the way in which it ends can show that."""
        response = self.response
        return bool(
            response is not None
            and response.headers_sent
            and not response.chunked
            and response.response_length is None
        )

    def _give_way(self) -> bool:
        """Let others have their turn if ours was long; whether it was."""
        if time.monotonic() - self._turn_began < TURN:
            return False
        give_way()
        self._turn_began = time.monotonic()
        return True
