"""The specification of a job: what a request asks for."""

from typing import NamedTuple

from app.cli.command import Command
from app.jobs.idempotency import Key


class JobSpec(NamedTuple):
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
