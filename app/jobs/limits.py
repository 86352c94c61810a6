"""The operator's limits on jobs."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.errors import InvalidRequest


class Limits(NamedTuple):
    """In seconds and bytes; 0 is no limit.

    `kill_grace` is the time that a cancelled job has to end, `retention` how long it is kept
    afterwards, `min_free` the free disk space that a start needs. Jobs may work only below `roots`;
    no roots allow any folder. `background_wait` is how long commands in the background may outlive
    the last result of a job. A CLI that ends without a line is started again up to `start_retries`
    times.
    """

    timeout: float
    idle_timeout: float
    max_output: int
    kill_grace: float
    retention: float
    min_free: int
    roots: Sequence[Path] = ()
    background_wait: float = 30.0
    start_retries: int = 0


def narrowed(name: str, requested: float | None, allowed: float) -> float | None:
    """The limit that applies: the request's, otherwise the operator's; None is no limit.

    Raises InvalidRequest if the request's exceeds the operator's.
    """
    if requested is None:
        return allowed or None
    if allowed and requested > allowed:
        raise InvalidRequest.of(
            "too_long", ("body", name), f"This exceeds the operator's limit of {allowed:g} s"
        )
    return requested
