"""Long answers, slow clients and many streams at once, in one worker."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.anthropic_messages import events as events_of
from tests.support.anthropic_messages import texts
from tests.support.direct_api import Server
from tests.support.direct_client import (
    ask,
    begin,
    eventually_running,
    raw_request,
    record_of,
    settings_for,
)
from tests.support.gateway import Gateway, eventually


@pytest.fixture
def alone(upstream: Server, start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway with one worker."""
    return start_gateway(**settings_for(upstream), WORKERS="1")


def peak(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [each for each in status.splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


@pytest.mark.alone
def test_a_million_tokens_take_little_memory(alone: Gateway) -> None:
    ask(alone, "say hi", stream=True)
    (worker,) = alone.workers()
    before = peak(worker)
    size, count = 0, 1_000_000
    with begin(alone, f"tokens {count}") as answer:
        for piece in answer.iter_content(1 << 16):
            size += len(piece)
    assert size > 100 * count
    record = record_of(alone, answer.headers["X-Process-ID"])
    assert record["status"] == "succeeded" and record["result"] == "tok " * count
    # The text itself, of 4 MB, is in the record: it is held a few times while that is written.
    assert peak(worker) - before < 40 << 20


@pytest.mark.alone
def test_a_client_that_does_not_read_costs_little(alone: Gateway) -> None:
    ask(alone, "say hi", stream=True)
    (worker,) = alone.workers()
    before = peak(worker)
    with begin(alone, "tokens 1000000") as stalled:
        (row,) = eventually_running(alone)
        # The other clients are served, and what the stalled one does not read is not fetched.
        for _ in range(20):
            assert texts(events_of(ask(alone, "say hi", stream=True))) == "hi "
        assert peak(worker) - before < 4 << 20
        assert row["process_id"] == stalled.headers["X-Process-ID"]
        assert alone.ask("DELETE", f"/chat/{row['process_id']}").status_code == 200
    assert alone.running() == []


@pytest.mark.alone
def test_200_streams_at_once_get_all_their_events(alone: Gateway, upstream: Server) -> None:
    count = 100

    def read(number: int) -> str:
        answer = ask(alone, f"tokens {count} 0.02", stream=True)
        return texts(events_of(answer))

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(read, range(200)))
    assert set(answers) == {"tok " * count}
    eventually(lambda: not alone.running())


def test_a_client_that_takes_nothing_is_gone(
    upstream: Server, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(**settings_for(upstream), DIRECT_MAX="1")
    gateway.stop()
    gateway.copy_code()
    code = gateway.code / "app/server/connection.py"
    text = code.read_text(encoding="utf-8")
    code.write_text(text.replace("STALL_TIMEOUT = 30.0", "STALL_TIMEOUT = 0.3"), encoding="utf-8")
    gateway.start()
    said = "tokens 1000001"
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(raw_request(gateway, said, stream=True))
        (job,) = eventually_listed(gateway)
        eventually(lambda: record_of(gateway, job)["status"] == "cancelled")
        eventually(lambda: upstream.closed.count(said) == 1)
        # Its slot is free, although it has not hung up.
        assert ask(gateway, "say hi").status_code == 200
    eventually(lambda: f"job {job} is cancelled: its client went away" in gateway.log())


def eventually_listed(gateway: Gateway) -> list[str]:
    """The ids of all jobs, once there are some; they may have ended."""
    rows = eventually(lambda: gateway.ask("GET", "/jobs").json()["jobs"])
    return [row["process_id"] for row in rows]
