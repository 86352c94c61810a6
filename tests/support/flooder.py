"""Floods a gateway with hostile requests, without end: python flooder.py PORT KIND [TOKEN].

A process of its own, so that it does not slow down the test that measures. Ends with its standard
input. Standard library alone.
"""

import socket
import sys
import threading
import time
from collections.abc import Iterator

# Imported, it does nothing.
PORT = int(sys.argv[1]) if __name__ == "__main__" else 0
TOKEN = sys.argv[3] if len(sys.argv) > 3 else ""

#: Pieces after which the flood counts as one.
ENOUGH = 5

Bytes = Iterator[bytes]


def post(*headers: str) -> bytes:
    lines = ("POST /chat HTTP/1.1", "Host: x", "Content-Type: application/json", *headers)
    signed_in = (f"Authorization: {TOKEN}",) if TOKEN else ()
    return "\r\n".join((*lines, *signed_in, "", "")).encode()


def repeat(first: bytes, then: bytes) -> Bytes:
    yield first
    while True:
        yield then


def unread_body() -> Bytes:
    return repeat(post("Transfer-Encoding: chunked"), b"10000\r\n" + b"x" * 65536 + b"\r\n")


def tiny_chunks() -> Bytes:
    return repeat(post("Transfer-Encoding: chunked"), b"1\r\nx\r\n" * 10_000)


def extended_chunks() -> Bytes:
    return repeat(post("Transfer-Encoding: chunked"), b"1;" + b"a=b;" * 2000 + b"a\r\nx\r\n")


def endless_trailers() -> Bytes:
    return repeat(post("Transfer-Encoding: chunked") + b"0\r\n", b"a: b\r\n" * 1000)


def long_body() -> Bytes:
    return repeat(post("Content-Length: 1000000000000"), b"x" * 65536)


def huge_heads() -> Bytes:
    field = b": " + b"x" * 8000 + b"\r\n"
    yield b"GET / HTTP/1.1\r\nHost: x\r\n"
    yield b"".join(b"X-%d" % number + field for number in range(95))
    yield b"\r\n"


def many_fields() -> Bytes:
    return repeat(b"GET / HTTP/1.1\r\n", b"a:\r\n" * 10_000)


def slow_head() -> Bytes:
    return repeat(b"GET / HTTP/1.1\r\nHost: x\r\n", b"a")


def no_http() -> Bytes:
    return repeat(b"\x16\x03\x01\x02\x00", b"\x00" * 65536)


def pipelined_small() -> Bytes:
    return repeat(b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)


def pipelined_large() -> Bytes:
    return repeat(b"", b"GET /docs/redoc.standalone.js HTTP/1.1\r\nHost: x\r\n\r\n" * 12)


def wrong_passwords() -> Bytes:
    return repeat(b"", b"GET /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n" * 100)


#: Released with each piece that has been sent.
begun = threading.Semaphore(0)

#: What is sent and whose answers are never read.
DEAF = {"pipelined_large"}


def flood(kind: str) -> None:
    """One connection after the other, until this program ends."""
    while True:
        with socket.socket() as connection:
            if kind in DEAF:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(30)
            try:
                connection.connect(("127.0.0.1", PORT))
                if kind not in DEAF:
                    threading.Thread(target=listen, args=(connection,), daemon=True).start()
                for piece in globals()[kind]():
                    connection.sendall(piece)
                    begun.release()
                # A last answer, or the end of the connection.
                connection.recv(1)
            except OSError:
                continue


def listen(connection: socket.socket) -> None:
    """Read answers, so that the connection does not stand still for them."""
    try:
        while connection.recv(65536):
            continue
    except OSError:
        return


def half_open() -> None:
    """Three hundred connections whose requests never end, again and again."""
    while True:
        held = []
        for _ in range(300):
            connection = socket.create_connection(("127.0.0.1", PORT))
            held.append(connection)
            try:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 2000)
            except OSError:
                continue
            begun.release()
        time.sleep(0.5)
        for connection in held:
            connection.close()


def main() -> None:
    """Two at once."""
    kind = sys.argv[2]
    if kind == "half_open":
        threading.Thread(target=half_open, daemon=True).start()
    else:
        for _ in range(2):
            threading.Thread(target=flood, args=(kind,), daemon=True).start()
    for _ in range(ENOUGH):
        begun.acquire()
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
