"""A client that is gone before the first byte of its answer."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

from tests.support.gateway import Gateway


@contextmanager
def gone_at_the_end(
    gateway: Gateway, path: str, body: dict[str, Any], more: dict[str, str] | None = None
) -> Iterator[None]:
    """A request, whose client resets its connection at the end of this context.

    The gateway must not answer before, and must have read the request by then. `more` are headers.
    """
    headers = {"Content-Type": "application/json", "Authorization": gateway.authorization}
    headers |= more or {}
    connection = HTTPConnection("127.0.0.1", gateway.port)
    try:
        connection.request("POST", path, json.dumps(body), headers)
        yield
        # A reset instead of an end in order (SO_LINGER of socket(7)): the first write fails.
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    finally:
        connection.close()
