"""The specification of a job, made from a client's request."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from app.cli.command import Command
from app.jobs.idempotency import Key
from app.records.job import Job


class JobSpec(NamedTuple):
    """What a job is started with; `prompt_length` counts characters.

    `is_own_session` means that the session is new, or that its messages are in the request: so it
    is the user's. `new_session` is the id that the client has chosen for a new session, which must
    not exist yet. `title` is the job's name for people. With `talks`, the run is spoken with: it
    asks its client (`ask`, for `ask_timeout` seconds a question), or is kept for `keep_alive`
    seconds. `background_wait` is how long commands in the background may outlive the last result,
    in seconds; None leaves it to the operator. `answers` is the run that is held for the results of
    tools in the message. If the model calls tools of the client, the run is held for `hold`
    seconds. `before_launch` is called with the job once its record is written, before a process may
    start it, also with one that an earlier request with the key has left there. `fields` are those
    that the client sent beside the prompt, without secrets, and `left_out` the names of more that
    are too long (`app.cli.shown_fields`).
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
    new_session: str | None = None
    talks: bool = False
    ask: bool = False
    ask_timeout: float = 600.0
    keep_alive: float = 0.0
    background_wait: float | None = None
    answers: str | None = None
    hold: float = 0.0
    before_launch: Callable[[Job], None] | None = None
    fields: Mapping[str, Any] = {}
    left_out: Sequence[str] = ()

    @property
    def continues(self) -> str | None:
        """The existing session that the job writes to, if any."""
        return None if self.fork_session else self.session_id or None

    @property
    def has_more_fields(self) -> bool:
        """Whether the client sent other fields than those that the job's record has."""
        recorded = {"cwd": self.cwd, "model": self.model or ""}
        return bool(self.left_out) or any(
            recorded.get(name) != value for name, value in self.fields.items()
        )
