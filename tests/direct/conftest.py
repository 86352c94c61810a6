"""The stand-in for the model's API, and a gateway whose direct backend asks it."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.support.direct_api import Server
from tests.support.direct_client import settings_for
from tests.support.gateway import Gateway


@pytest.fixture(scope="session")
def upstream() -> Iterator[Server]:
    """The stand-in."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def direct(upstream: Server, gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with the fake CLI and a direct backend."""
    return gateway_with(**settings_for(upstream))
