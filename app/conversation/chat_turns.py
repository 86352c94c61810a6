"""The turns of all chat APIs, in the mode that a request is answered in.

In agent mode the CLI works with its own tools in a folder. In model mode the model has the client's
tools alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Request

from app.auth.users import User
from app.conversation.answer_cache import AnswerCache
from app.conversation.client_tools import ClientTools
from app.conversation.errors import BadParameter
from app.conversation.messages import ToolCall
from app.conversation.model_turns import WEB_SEARCH, ModelTurns
from app.conversation.options import Mode
from app.conversation.turn_request import TurnRequest
from app.conversation.turns import Turn, Turns
from app.http.repeatable import Repeatable
from app.http.start_job import StartedJob, join_job, start_job
from app.jobs.idempotency import Key
from app.jobs.left_jobs import LeftJobs
from app.jobs.service import JobService
from app.records.job import Job

# With any of these, a request lists what is allowed.
_RIGHTS = ("tools", "allowed_tools", "permission_mode")


@dataclass(frozen=True)
class ChatTurns:
    """Makes turns of requests, and records their answers.

    `default` is the mode of requests that leave it open; None for that of their API.
    `ignore_tools`: a request whose client brings tools is answered in agent mode, without them.
    """

    agent: Turns
    model: ModelTurns
    left: LeftJobs
    cache: AnswerCache
    default: Mode | None
    ignore_tools: bool

    def prepare(self, request: TurnRequest, user: User, key: Key | None) -> Turn:
        """The turn for a request, to be started.

        Raises what `Turns.prepare` and `ModelTurns.prepare` raise.
        """
        mode = mode_of(request.tools, request.options.mode, self.default, self.ignore_tools)
        if mode == "model":
            return self.model.prepare(request, request.tools or ClientTools([]), user, key)
        if request.web_search:
            request = self._with_web_search(request)
        turn = self.agent.prepare(request._replace(tools=None), user, key)
        return turn._replace(ignored=["tools"] if request.tools and request.tools.tools else [])

    def keyed_for_cache(
        self, turn: Turn, asked: TurnRequest, request: Request, body: bytes
    ) -> Turn:
        """The turn with a key for its answer, if that may be cached (`AnswerCache.keyed`)."""
        return self.cache.keyed(turn, asked, request, body, self.agent.requests.claude.version)

    def start(
        self, jobs: JobService, turn: Turn, user: User, asked: Repeatable | None
    ) -> StartedJob:
        """Start the job of a turn, which is abandoned if there is a job for it already.

        That may be one that an equal request has left. Raises what `start_job` raises.
        """
        is_new = False
        try:
            left = self.left.join(asked.digest, user) if asked and asked.is_repeat else None
            started = start_job(jobs, turn.spec, user) if left is None else join_job(left)
            is_new = started.is_new
            return started
        finally:
            if not is_new:
                (self.agent if turn.tools is None else self.model).abandon(turn)

    def on_disconnect(self, asked: Repeatable | None) -> Callable[[Job], None] | None:
        """What is done with the job of a request whose client leaves; None: it is cancelled."""
        return None if asked is None else partial(self.left.leave, request=asked.digest)

    def most_retries(self, turn: Turn, started: StartedJob) -> int | None:
        """How often the CLI may ask the model's API again before the answer of an agent begins.

        None leaves it to the CLI: in model mode, where it knows, and in a job that goes on without
        its client.
        """
        waits = turn.tools is None and started.cancel_on_disconnect
        return self.model.retries if waits else None

    def session_of(self, turn: Turn, started: StartedJob) -> str | None:
        """The session of a job, as far as it is known."""
        if not started.is_new:
            # The turn has a new session; the job's record has that of the first request.
            request = started.job.request()
            return request and request.session_id
        has_session = turn.tools is None and not turn.spec.fork_session
        return turn.spec.session_id if has_session else None

    def record(
        self,
        turn: Turn,
        user: User,
        job: Job,
        session: str | None,
        answer: str | None,
        calls: Sequence[ToolCall],
    ) -> None:
        """Record an answer, None if the client did not get all of it. Raises OSError."""
        if turn.tools is None:
            self.agent.record(turn, user, session, job.run.id, answer)
        elif answer is not None and calls:
            self.model.record(turn, job.run.id, answer, calls)

    def _with_web_search(self, request: TurnRequest) -> TurnRequest:
        """The request with the right to search the web, where not everything is allowed anyway."""
        fields = dict(request.options.fields)
        mode = self.agent.requests.defaults.permission_mode
        if not mode and not any(fields.get(name) for name in _RIGHTS):
            return request
        for name in ("tools", "allowed_tools") if fields.get("tools") else ("allowed_tools",):
            fields[name] = _with(fields.get(name), WEB_SEARCH)
        return request._replace(options=request.options._replace(fields=fields))


def mode_of(
    tools: ClientTools | None, asked: Mode | None, default: Mode | None, ignore_tools: bool
) -> Mode:
    """The mode of a request with these tools, which asks for this mode. Raises BadParameter.

    `default` and `ignore_tools` are the operator's choices.

    >>> mode_of(None, None, None, False), mode_of(ClientTools([]), None, None, False)
    ('agent', 'model')
    """
    if asked == "agent" and tools and tools.offered() and not ignore_tools:
        raise BadParameter(
            "claude.mode",
            "In agent mode the model cannot have the client's tools; leave them out, or use model"
            " mode, where claude.tools adds tools of the CLI",
        )
    if asked is not None:
        return asked
    if tools and tools.tools:
        return "agent" if ignore_tools else "model"
    return default or ("agent" if tools is None else "model")


def _with(given: Any, name: str) -> Any:
    """A list with this name, too. What is no list will be refused."""
    if given is not None and not isinstance(given, list):
        return given
    return given if given and name in given else [*(given or []), name]
