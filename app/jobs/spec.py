"""What a job is started with, and what the operator allows."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.cli.command import Command
from app.errors import InvalidRequest
from app.jobs.idempotency import Key
from app.records.job import Job


class Order(NamedTuple):
    """What a job is started with; `prompt_length` counts characters.

    `is_own_session` says that the session is the user's: it is new, or is continued by what the
    user's client has sent of it. `title` is what people know the job by.
    """

    command: Command
    cwd: str
    model: str | None
    session_id: str | None
    fork_session: bool
    prompt_length: int
    detached: bool
    timeout: float | None
    idle_timeout: float | None
    key: Key | None
    request_id: str
    is_own_session: bool = False
    title: str | None = None

    @property
    def continues(self) -> str | None:
        """The session that the job writes to, if it is not its own."""
        return None if self.fork_session else self.session_id or None


class Begun(NamedTuple):
    """A job that an order has; not `is_new` if an earlier one with the same key began it."""

    job: Job
    is_new: bool


class Limits(NamedTuple):
    """What the operator allows each job, and all: seconds and bytes; 0 is no limit.

    `retention` is how long a job is kept after its end, `min_free` what must be left of the
    disk for another to start, `roots` the only folders that jobs may work in; none: all.
    """

    timeout: float
    idle_timeout: float
    max_output: int
    retention: float
    min_free: int
    roots: Sequence[Path] = ()


def narrower(name: str, asked: float | None, allowed: float) -> float | None:
    """The limit that holds: the request's, which must not be wider than the operator's."""
    if asked is None:
        return allowed or None
    if allowed and asked > allowed:
        raise InvalidRequest.of(
            "too_long", ("body", name), f"This exceeds the operator's limit of {allowed:g} s"
        )
    return asked
