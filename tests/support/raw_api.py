"""A server in the place of the model's API that answers with the bytes that a test chooses."""

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def event(kind: str, **fields: Any) -> bytes:
    """An event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def chunk(content: bytes) -> bytes:
    """A chunk of a body."""
    return b"%X\r\n%b\r\n" % (len(content), content)


def whole(status: int, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """A response with this body, which may announce another length."""
    length = len(body) if length is None else length
    lines = (f"HTTP/1.1 {status} X", f"Content-Length: {length}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


class RawApi(socketserver.ThreadingTCPServer):
    """A server on the loopback address; `open` counts its connections."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        #: What each request is answered with, before its connection closes.
        self.answer: Iterator[bytes] | list[bytes] = []
        #: Whether a connection stays open after that until the client closes it.
        self.hangs = False
        self.open = 0


class _Connection(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Answer one request."""
        server = self.server
        assert isinstance(server, RawApi)
        length = 0
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        self.rfile.read(length)
        server.open += 1
        try:
            for piece in server.answer:
                self.wfile.write(piece)
            if server.hangs:
                self.connection.recv(1)
            else:
                self.connection.shutdown(socket.SHUT_WR)
        except OSError:
            # The client has closed it.
            pass
        finally:
            server.open -= 1


@contextmanager
def raw_api() -> Iterator[RawApi]:
    """A running server."""
    with RawApi() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
