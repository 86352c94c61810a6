"""The stand-in for the model's API, and a gateway whose direct backend asks it."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.support.direct_api import Server
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


def settings_for(upstream: Server) -> dict[str, str]:
    """The settings of a gateway with a direct backend."""
    return {
        "ANTHROPIC_BASE_URL": upstream.url,
        "ANTHROPIC_API_KEY": "a-dummy-key",
        "DIRECT_MODELS": "claude-haiku-*,claude-sonnet-*",
        "SPARES": "0",
    }


@pytest.fixture
def direct(upstream: Server, gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with the fake CLI and a direct backend."""
    return gateway_with(**settings_for(upstream))
