"""Clients that are gone before the first byte of an answer: their jobs end."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.gateway import Gateway, eventually
from tests.support.gone_client import gone_at_the_end

MESSAGES = {"messages": [{"role": "user", "content": "silent"}], "max_tokens": 5, "model": "sonnet"}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": MESSAGES,
    "/v1/messages": MESSAGES,
    "/v1/responses": {"input": "silent"},
}


@pytest.fixture
def hasty(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway that sends the head of an answer at once, and waits for no repeat."""
    return gateway_with(HEAD_DELAY="0", RETRY_GRACE="0", SPARES="0", WORKERS="1")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", BODIES)
def test_the_job_of_a_client_that_is_gone_at_the_first_byte_is_cancelled(
    hasty: Gateway, path: str, stream: bool
) -> None:
    jobs = hasty.state / "jobs"
    before = set(jobs.iterdir())
    eventually((hasty.state / "launcher").exists)
    launcher = hasty.launcher()
    # Without a holder of its lock it would be 0, which is this process's own group.
    assert launcher > 0
    # The view waits for it, after the request was read.
    os.kill(launcher, signal.SIGSTOP)
    try:
        with gone_at_the_end(hasty, path, {**BODIES[path], "stream": stream}):
            eventually(lambda: set(jobs.iterdir()) - before)
    finally:
        os.kill(launcher, signal.SIGCONT)
    (job,) = set(jobs.iterdir()) - before
    record = hasty.ask("GET", f"/jobs/{job.name}?wait=20").json()
    assert record["status"] == "cancelled", record
    assert "Traceback" not in hasty.log()
