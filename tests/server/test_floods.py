"""A flood without credentials slows down no other client; one with credentials stops none."""

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.gateway import PASSWORD, ROOT, Gateway
from tests.support.quickness import QUICK, is_quick

pytestmark = pytest.mark.alone

#: The same where the flood comes from a user, whose requests may cost something.
QUICK_BESIDE_A_USER = 1.5
WITHOUT_CREDENTIALS = (
    *("unread_body", "tiny_chunks", "extended_chunks", "endless_trailers", "long_body"),
    *("huge_heads", "many_fields", "slow_head", "no_http", "half_open"),
    *("pipelined_small", "pipelined_large"),
)
WITH_CREDENTIALS = ("unread_body", "tiny_chunks", "extended_chunks", "endless_trailers")


@contextmanager
def flood(gateway: Gateway, kind: str, *token: str) -> Iterator[None]:
    """Have another process send this to the gateway."""
    program = [sys.executable, ROOT / "tests/support/flooder.py", str(gateway.port), kind, *token]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"flooding\n"
            yield
        finally:
            process.kill()


def assert_others_are_served(gateway: Gateway, kind: str, *token: str) -> None:
    bound = QUICK_BESIDE_A_USER if token else QUICK
    flag = gateway.folder / f"flag-{kind}"
    innocent = gateway.chat("line a", f"await {flag}", "line b", "result ok")
    assert innocent.next().data == b"a"
    with flood(gateway, kind, *token):
        is_quick(gateway, bound)
        flag.touch()
        assert innocent.done()["status"] == "succeeded"


@pytest.mark.parametrize("kind", WITHOUT_CREDENTIALS)
def test_a_flood_without_credentials_holds_up_no_other(gateway: Gateway, kind: str) -> None:
    assert_others_are_served(gateway, kind)


def test_wrong_passwords_hold_up_no_other(start_gateway: Callable[..., Gateway]) -> None:
    # Without the throttle, which would keep this test's own requests out, too.
    assert_others_are_served(start_gateway(AUTH_MAX_FAILURES="0"), "wrong_passwords")


@pytest.mark.parametrize("kind", WITH_CREDENTIALS)
def test_a_flood_with_credentials_holds_up_no_other(gateway: Gateway, kind: str) -> None:
    pair = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    assert_others_are_served(gateway, kind, f"Basic {pair}")
