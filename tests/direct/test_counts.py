"""`POST /v1/messages/count_tokens` where the model's API counts."""

import gc
import signal
import socket
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import Mock

import gevent
import pytest
from gevent.event import Event

from app.conversation.errors import AnswerFailed
from app.direct.token_count import count_tokens
from app.direct.upstream import UpstreamResponse
from tests.support.anthropic_messages import refused
from tests.support.direct_api import Server
from tests.support.direct_client import ask, raw_request, settings_for
from tests.support.gateway import Gateway, eventually

PATH = "/v1/messages/count_tokens"


def test_a_count_has_a_slot_until_its_client_leaves(
    upstream: Server, gateway_with: Callable[..., Gateway]
) -> None:
    gateway = gateway_with(**settings_for(upstream), DIRECT_MAX="1")
    slots = gateway.state / "direct"
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", gateway.port)) as client:
            client.sendall(raw_request(gateway, "hang", stream=False, path=PATH))
            eventually(lambda: upstream.hanging == 1)
            for path in (PATH, "/v1/messages"):
                assert refused(ask(gateway, "say hi", path=path))[:2] == (429, "rate_limit_error")
            # It is no job.
            assert gateway.running() == []
        eventually(lambda: upstream.hanging == 0)
        eventually(lambda: [*slots.iterdir()] == [])
    for text in ("say hi", "fail 529 overloaded_error - Busy", "drop"):
        ask(gateway, text, path=PATH)
    assert [*slots.iterdir()] == []


def test_a_count_ends_with_its_worker(
    upstream: Server, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(**settings_for(upstream))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(ask, gateway, "hang", path=PATH)
        eventually(lambda: upstream.hanging == 1)
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGTERM)
        assert refused(waiting.result())[0] == 503
    assert gateway.process.wait(20) == 0


def test_a_count_that_is_ended_keeps_no_connection() -> None:
    class Connection:
        """What is being made."""

    connections: list[weakref.ref[Connection]] = []
    asked = Event()

    def send() -> UpstreamResponse:
        connection = Connection()
        connections.append(weakref.ref(connection))
        asked.set()
        Event().wait()
        raise AssertionError

    class Client:
        """A client that leaves."""

        @contextmanager
        def watch(self, on_disconnect: Callable[[], None], **_: Any) -> Iterator[None]:
            """Leave once the request is sent."""
            gevent.spawn(lambda: asked.wait() and on_disconnect())
            yield

    jobs = Mock(ends_at_stop=lambda _: nullcontext())
    gc.disable()
    try:
        with pytest.raises(AnswerFailed, match="disconnected"):
            count_tokens(send, jobs, {"gunicorn.socket": Client()})
        # Not only once the garbage is collected.
        assert [connection() for connection in connections] == [None]
    finally:
        gc.enable()
