"""A client's connection that cannot block its worker. Uses gevent.

gunicorn reads and writes it like a socket. gevent switches greenlets only when a socket would
block, so a connection that is always ready never yields by itself: this class yields for it. A
response that its client does not read times out, unless it is the stream of a job's output.
"""

import errno
import fcntl
import socket
import struct
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent

from app.server.hangups import Hangups
from app.server.hub_yield import yield_to_hub

#: Seconds that one connection may run before it yields to the others.
TIME_SLICE = 0.001
#: Seconds that a client has to read each piece of a response.
SEND_TIMEOUT = 10.0
#: Seconds without anything taken of a stream that is kept nowhere, after which its client counts as
#: gone: it is noticed after at most twice as long.
STALL_TIMEOUT = 30.0
#: The size of such a piece, in bytes.
PIECE = 1 << 16
#: Seconds that the rest of a refused request is read for, in all and without a byte.
LINGER_TIMEOUT = 10.0
LINGER_IDLE_TIMEOUT = 2.0
#: Bytes of that rest that are read at full speed; after them, seconds between two reads.
LINGER_FAST_BYTES = 1 << 20
LINGER_PAUSE = 0.002

# The least to read at once, however long the caller takes to process it.
_SMALLEST_READ = 1 << 10


class Connection:
    """One connection and the IP address of its peer."""

    def __init__(self, client: Any, address: str, hangups: Hangups) -> None:
        self._client = client
        self.address = address
        #: gunicorn's response that is being sent, or None.
        self.response: Any = None
        #: Whether the client has disconnected; then nothing more is sent.
        self.is_gone = False
        #: Moves the connection to the authenticated ones; False if there are too many.
        self.mark_authenticated: Callable[[], bool] = lambda: True
        self._hangups = hangups
        self._is_watched = False
        self._is_kept = True
        self._sending = False
        self._slice_began = time.monotonic()
        self._piece = PIECE

    def begin(self, response: Any) -> None:
        """Note that a request's head has arrived and that this response will answer it."""
        self.response = response
        self._is_watched = False

    def finish(self) -> None:
        """Note that the whole response has been sent; the next request may be there already."""
        self.response = None
        self._yield_if_due()

    def recv(self, size: int) -> bytes:
        """Receive at most `size` bytes; fewer while the caller is slow to process them."""
        if self._yield_if_due():
            self._piece = max(_SMALLEST_READ, self._piece // 2)
        else:
            self._piece = min(PIECE, self._piece * 2)
        self._client.settimeout(None)
        received: bytes = self._client.recv(min(size, self._piece))
        self._slice_began = time.monotonic()
        return received

    def sendall(self, data: bytes) -> None:
        """Send all of `data`. Raises BrokenPipeError, TimeoutError and other OSErrors."""
        if self.is_gone:
            raise BrokenPipeError(errno.EPIPE, "the client has disconnected")
        self._sending = True
        try:
            if self._is_stream():
                self._send_of_stream(data)
                return
            self._client.settimeout(SEND_TIMEOUT)
            rest = memoryview(data)
            while rest:
                self._client.sendall(rest[:PIECE])
                rest = rest[PIECE:]
                self._yield_if_due()
        finally:
            self._sending = False

    def _send_of_stream(self, data: bytes) -> None:
        """Send a part of a job's stream, for as long as the client may take."""
        if self._is_kept:
            self._client.settimeout(None)
            self._client.sendall(data)
            return
        self._client.settimeout(STALL_TIMEOUT)
        rest = memoryview(data)
        untaken = -1
        while rest:
            try:
                rest = rest[self._client.send(rest) :]
            except TimeoutError:
                # A socket is writable again only when a third of its buffer is free, so a slow
                # client may have taken something all the same.
                before, untaken = untaken, self._untaken()
                if untaken == before:
                    raise

    def _untaken(self) -> int:
        """Bytes that were sent and that the client has not taken (SIOCOUTQ of tcp(7))."""
        found = fcntl.ioctl(self._client.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
        number: int = struct.unpack("i", found)[0]
        return number

    def shutdown(self, how: int) -> None:
        """Shut the socket down. Raises OSError if it is not connected any more."""
        self._client.shutdown(how)

    def close(self) -> None:
        """Close the connection; with a reset if a cut-off response would look complete."""
        if self.is_gone or self._is_cut_short():
            with suppress(OSError):
                # Closing then sends a reset (SO_LINGER in socket(7)).
                self._client.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        self._client.close()

    def linger(self) -> None:
        """Read and discard what the client still sends.

        Closing a connection with unread data resets it, and the client might lose the response
        (RFC 9112, section 9.6).
        """
        self._client.shutdown(socket.SHUT_WR)
        self._client.settimeout(LINGER_IDLE_TIMEOUT)
        received = 0
        with suppress(TimeoutError, gevent.Timeout), gevent.Timeout(LINGER_TIMEOUT):
            while piece := self._client.recv(PIECE):
                received += len(piece)
                if received < LINGER_FAST_BYTES:
                    yield_to_hub()
                else:
                    # It is discarded, so it can be read slower than it is sent.
                    gevent.sleep(LINGER_PAUSE)

    def has_more(self) -> bool:
        """Whether data has arrived that was not received yet."""
        try:
            return bool(self._client._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    @contextmanager
    def watch(self, on_disconnect: Callable[[], None], *, is_kept: bool = True) -> Iterator[None]:
        """Call `on_disconnect`, in the hub, when the client disconnects.

        `is_kept`: what is streamed is also on disk, so the client may take any time to read it.
        Otherwise sending raises TimeoutError once it has taken nothing for STALL_TIMEOUT.

        A client may shut down its sending half and still read. Only sending something tells the
        two apart, so bytes without a meaning are sent.
        """
        descriptor = self._client.fileno()
        self._is_watched, self._is_kept = True, is_kept

        def on_hangup(is_complete: bool) -> None:
            if not is_complete and self._probe():
                self._hangups.watch_for_close(descriptor)
            else:
                self.is_gone = True
                on_disconnect()

        self._hangups.watch(descriptor, on_hangup)
        try:
            yield
        finally:
            self._hangups.unwatch(descriptor)

    def _probe(self) -> bool:
        """Send bytes without a meaning; a disconnected client answers with a reset (RFC 9293).

        A chunk's size may begin with zeros (RFC 9112, section 7.1), and interim responses may
        precede a response (RFC 9110, section 15.2). HTTP/1.0 has neither. Returns False if
        nothing can be sent.
        """
        if self._sending:
            # What is being sent does the same.
            return True
        response = self.response
        if response is None:
            return False
        if response.headers_sent:
            probe = b"0" if response.chunked else b""
        else:
            probe = b"HTTP/1.1 100 Continue\r\n\r\n" if response.req.version > (1, 0) else b""
        try:
            # The plain socket's send: gevent's would block, which a callback must not.
            return bool(probe and self._client._sock.send(probe, socket.MSG_DONTWAIT))
        except BlockingIOError:
            # The send buffer is full, so unread bytes are on their way.
            return True
        except OSError:
            return False

    def _is_stream(self) -> bool:
        """Whether this is a job's stream."""
        if not self._is_watched or self.response is None:
            return False
        return self.response.response_length is None

    def _is_cut_short(self) -> bool:
        """Whether the response is incomplete and has neither chunks nor a length to show it."""
        response = self.response
        return bool(
            response is not None
            and response.headers_sent
            and not response.chunked
            and response.response_length is None
        )

    def _yield_if_due(self) -> bool:
        """Yield if the time slice is used up. Returns whether it was."""
        if time.monotonic() - self._slice_began < TIME_SLICE:
            return False
        yield_to_hub()
        self._slice_began = time.monotonic()
        return True
