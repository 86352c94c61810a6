"""What the operator allows each job, and all jobs together."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.errors import InvalidRequest


class Limits(NamedTuple):
    """Seconds and bytes; 0 is no limit.

    `kill_grace` is the time that a job has to end, `retention` how long it is kept after its end,
    `min_free` what must be left of the disk for another to start, `roots` the only folders that
    jobs may work in; none: all.
    """

    timeout: float
    idle_timeout: float
    max_output: int
    kill_grace: float
    retention: float
    min_free: int
    roots: Sequence[Path] = ()


def narrowed(name: str, requested: float | None, allowed: float) -> float | None:
    """The limit that holds: the request's, which must not be wider than the operator's.

    Raises InvalidRequest.
    """
    if requested is None:
        return allowed or None
    if allowed and requested > allowed:
        raise InvalidRequest.of(
            "too_long", ("body", name), f"This exceeds the operator's limit of {allowed:g} s"
        )
    return requested
