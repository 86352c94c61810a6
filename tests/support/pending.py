"""A request that the gateway has read, and that waits for its response."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection

from tests.support.gateway import PATIENCE, Gateway


@contextmanager
def pending(
    gateway: Gateway, path: str, headers: Mapping[str, str] | None = None
) -> Iterator[HTTPConnection]:
    """A GET whose response is still to be read; the gateway must have one worker."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    try:
        signed_in = {"Authorization": gateway.authorization, **(headers or {})}
        connection.request("GET", path, headers=signed_in)
        # The worker takes requests in the order in which they come.
        assert gateway.ask("GET", "/processes").status_code == 200
        yield connection
    finally:
        connection.close()
