"""The time limit of an exchange with the model's API, without a gateway."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import gevent
import pytest

from app.direct.exchange import Exchange, Work
from app.direct.record import Ending
from app.direct.upstream import UpstreamResponse
from app.records.job import Job


class Endless:
    """A response with events that never end."""

    status = 200
    is_stream = True
    secret = b""

    def read(self) -> bytes:
        """One more event."""
        gevent.sleep(0.001)
        return b'event: ping\ndata: {"type":"ping"}\n\n'

    def close(self) -> None:
        """Nothing is open."""


def fail_at_once(pieces: Iterator[bytes]) -> None:
    """Read one piece, as a request that fails then."""
    next(pieces)
    cast(Any, pieces).close()


@pytest.mark.parametrize(
    ("read", "timeout", "status"),
    [(fail_at_once, 60.0, "cancelled"), (list, 0.05, "timed_out")],
)
def test_only_a_job_at_its_time_limit_has_timed_out(
    tmp_path: Path, read: Callable[[Iterator[bytes]], None], timeout: float, status: str
) -> None:
    job = Job(str(tmp_path), str(uuid4()))
    Path(job.path).mkdir(parents=True)
    Path(job.output).touch()
    ends: list[Ending | None] = []
    work = Work(
        lambda: cast(UpstreamResponse, Endless()),
        lambda _answer, ending, _failure: ends.append(ending),
        is_stream=True,
        timeout=timeout,
    )
    exchange = Exchange(job, work, heartbeat=1.0)
    exchange.start()
    read(exchange.read())
    gevent.wait(timeout=10)
    assert [end and end.status for end in ends] == [status]
