"""Who has no credentials cannot slow down the others, and who has cannot stop them."""

import base64
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.gateway import PASSWORD, ROOT, Gateway, eventually

#: Seconds within which nearly every /health is answered during a flood.
QUICK = 0.1
#: The same where the flood comes from a user, whose requests may cost something.
QUICK_BESIDE_A_USER = 1.5
#: How often it is asked, and of these how many may take longer, on a machine with other work.
ASKED, LATE = 60, 3

WITHOUT_CREDENTIALS = (
    *("unread_body", "tiny_chunks", "extended_chunks", "endless_trailers", "long_body"),
    *("huge_heads", "many_fields", "slow_head", "no_http", "half_open"),
    *("pipelined_small", "pipelined_large"),
)
WITH_CREDENTIALS = ("unread_body", "tiny_chunks", "extended_chunks", "endless_trailers")


@contextmanager
def flood(gateway: Gateway, kind: str, *token: str) -> Iterator[None]:
    """Have another process send this to the gateway."""
    program = [sys.executable, ROOT / "tests/flooder.py", str(gateway.port), kind, *token]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"flooding\n"
            yield
        finally:
            process.kill()


def delays(gateway: Gateway, count: int) -> list[float]:
    """How long each of so many requests for /health took, each on a new connection."""
    taken = []
    for _ in range(count):
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
        taken.append(time.monotonic() - begun)
    return sorted(taken)


def holds_up_nobody(gateway: Gateway, kind: str, *token: str) -> None:
    bound = QUICK_BESIDE_A_USER if token else QUICK
    flag = gateway.folder / f"flag-{kind}"
    innocent = gateway.chat("line a", f"await {flag}", "line b", "result ok")
    assert innocent.next().data == b"a"
    with flood(gateway, kind, *token):
        is_quick(gateway, bound)
        flag.touch()
        assert innocent.done()["status"] == "succeeded"


def is_quick(gateway: Gateway, bound: float = QUICK) -> None:
    """/health is answered quickly; other work on this machine is allowed for, not a freeze."""
    seen: list[float] = []

    def quick() -> bool:
        seen[:] = delays(gateway, ASKED)
        return seen[-1 - LATE] < bound

    eventually(quick, lambda: f"{[round(each, 3) for each in seen]}")


@pytest.mark.parametrize("kind", WITHOUT_CREDENTIALS)
def test_a_flood_without_credentials_holds_up_nobody(gateway: Gateway, kind: str) -> None:
    holds_up_nobody(gateway, kind)


def test_wrong_passwords_hold_up_nobody(start_gateway: Callable[..., Gateway]) -> None:
    # Without the throttle, which would keep this test's own requests out, too.
    holds_up_nobody(start_gateway(AUTH_MAX_FAILURES="0"), "wrong_passwords")


@pytest.mark.parametrize("kind", WITH_CREDENTIALS)
def test_a_flood_with_credentials_holds_up_nobody(gateway: Gateway, kind: str) -> None:
    pair = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    holds_up_nobody(gateway, kind, f"Basic {pair}")
