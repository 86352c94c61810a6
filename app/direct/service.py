"""The service of the direct backend: it begins exchanges for requests of clients."""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

from app import audit
from app.auth.users import User
from app.cli.model_api import base_url
from app.conversation.errors import AnswerFailed, BadParameter
from app.conversation.models import Models
from app.direct.answer_reader import Answer
from app.direct.choice import DirectChoice
from app.direct.credentials import BETA_HEADER, Credentials
from app.direct.exchange import PROCESS_ENDED, Exchange, Work
from app.direct.failures import DirectFull
from app.direct.record import Ending, Recorder
from app.direct.refresh import Refresher
from app.direct.slots import Slots
from app.direct.token_count import count_tokens
from app.direct.upstream import Upstream, UpstreamResponse
from app.errors import DiskFull, JobNotStarted, ShuttingDown
from app.http.disconnect import DISCONNECTED, watch_connection
from app.jobs.limits import Limits, narrowed
from app.jobs.service import JobService
from app.jobs.store import Spool
from app.records.claim import Claim
from app.records.job import Job
from app.records.job_records import JobRequest
from app.settings import Settings
from app.timestamps import now

log = logging.getLogger(__name__)

_LEFT = Ending("cancelled", error=f"The job was cancelled: {DISCONNECTED}")
#: The version of the model's API, unless the client names one.
API_VERSION = "2023-06-01"


class DirectRequest(NamedTuple):
    """A request for the model's API, and what its job's record has.

    `headers` are the client's. `timeout` is in seconds; `prompt_length` counts characters.
    """

    model: str
    body: bytes
    is_stream: bool
    headers: Mapping[str, str]
    query: str
    prompt_length: int
    title: str | None
    timeout: float | None
    request_id: str


@dataclass(frozen=True)
class Direct:
    """The direct backend of one worker. `heartbeat` is in seconds."""

    choice: DirectChoice
    credentials: Credentials
    upstream: Upstream
    slots: Slots
    recorder: Recorder
    jobs: JobService
    spool: Spool
    limits: Limits
    heartbeat: float

    def begin(self, request: DirectRequest, user: User) -> Exchange:
        """Begin the exchange for a request, as a job of this user.

        Raises DirectFull, DiskFull, InvalidRequest, JobNotStarted and ShuttingDown; and
        AnswerFailed without credentials.
        """
        if self.jobs.stopped_by:
            raise ShuttingDown("the same path")
        if self.spool.free() < self.limits.min_free:
            raise DiskFull
        send = self._sender("/v1/messages", request)
        timeout = narrowed("timeout", request.timeout, self.limits.timeout)
        job = Job(self.spool.state, str(uuid4()))
        record = self._record(job, request, user, timeout)
        claim = self._start(job, record)
        work = Work(send, partial(self._finish, job, record, claim), request.is_stream, timeout)
        exchange = Exchange(job, work, self.heartbeat)
        fields = {"job": job.id, "user": user.name, "request_id": request.request_id}
        log.info("job %s asks the model's API for %s", job.id, user.name, extra=fields)
        exchange.start()
        return exchange

    def count(self, request: DirectRequest, environ: Mapping[str, Any]) -> dict[str, Any]:
        """The tokens of a request, as the model's API counts them; this is no job.

        It ends when the client of the request with this WSGI `environ` disconnects. Raises
        AnswerFailed, DirectFull, JobNotStarted and ShuttingDown.
        """
        send = self._sender("/v1/messages/count_tokens", request)
        slot = str(uuid4())
        try:
            self.slots.take(slot)
            return count_tokens(send, self.jobs, environ)
        except OSError as error:
            raise JobNotStarted(f"cannot take a slot: {error}") from error
        finally:
            self.slots.release(slot)

    def _sender(self, path: str, request: DirectRequest) -> Callable[[], UpstreamResponse]:
        """What sends a request with the operator's credentials. Raises AnswerFailed without any."""
        credential = self.credentials.current()
        headers = credential.headers(request.headers.get(BETA_HEADER, ""))
        headers["anthropic-version"] = request.headers.get("anthropic-version", API_VERSION)
        path = f"{path}?{request.query}" if request.query else path
        return partial(self.upstream.post, path, request.body, headers, credential.text)

    @contextmanager
    def read(
        self, exchange: Exchange, user: User, environ: Mapping[str, Any]
    ) -> Iterator[Generator[bytes]]:
        """The pieces of a response (`Exchange.read`), for the client of this request.

        If the client disconnects, the job is cancelled. In a generator, each `yield` belongs
        inside of this context: gunicorn closes the generator if it cannot send. It has to begin at
        once (`app.http.disconnect.begins_at_once`).
        """

        def leave() -> None:
            exchange.end(_LEFT)

        pieces = exchange.read()
        try:
            with (
                self.jobs.ends_at_stop(exchange),
                watch_connection(environ, leave, is_kept=False),
            ):
                yield pieces
        except GeneratorExit:
            # A shutdown closes the connection, too.
            exchange.end(_LEFT if self.jobs.stopped_by is None else PROCESS_ENDED)
            raise
        finally:
            pieces.close()
            exchange.abandon()
            if exchange.ending is _LEFT:
                audit.cancelled(exchange.job.id, user.name, "its client went away")

    def _start(self, job: Job, record: JobRequest) -> Claim:
        try:
            self.slots.take(job.id)
            try:
                return self.recorder.create(job, record)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                # A job has damaged the folders.
                self.spool.remove(job)
                self.spool.prepare()
                return self.recorder.create(job, record)
        except DirectFull:
            raise
        except OSError as error:
            self.spool.remove(job)
            self.slots.release(job.id)
            raise JobNotStarted(f"cannot start the job: {error}") from error

    def _finish(
        self,
        job: Job,
        record: JobRequest,
        claim: Claim,
        answer: Answer,
        ending: Ending | None,
        failure: AnswerFailed | None,
    ) -> None:
        try:
            self.recorder.end(job, record, claim, answer, ending, failure)
        finally:
            self.slots.release(job.id)

    def _record(
        self, job: Job, request: DirectRequest, user: User, timeout: float | None
    ) -> JobRequest:
        return JobRequest(
            id=job.id,
            cwd="",
            model=request.model,
            session_id=None,
            started_at=now(),
            user=user.id,
            starter=self.recorder.process,
            prompt_length=request.prompt_length,
            timeout=timeout,
            request_id=request.request_id,
            title=request.title,
            run=job.id,
            backend="direct",
        )


def make_direct(
    settings: Settings,
    claude: str,
    models: Models,
    environment: Mapping[str, str],
    jobs: JobService,
    spool: Spool,
    limits: Limits,
) -> Direct:
    """The direct backend. `claude` is the CLI, and `environment` its own.

    Raises ConfigurationError.
    """
    # Without models, it serves nothing, and the CLI may use another address.
    base = base_url(environment if settings.direct_models else {})
    may_refresh = settings.direct_subscription
    refresher = Refresher(spool.state, claude, environment) if may_refresh else None
    return Direct(
        DirectChoice(settings.direct_models, models),
        Credentials(environment, settings.claude_access_token, refresher),
        Upstream(base, environment, settings.direct_max),
        Slots(spool.state, settings.direct_max),
        Recorder(jobs),
        jobs,
        spool,
        limits,
        settings.heartbeat,
    )


def refuse_key(key: object) -> None:
    """Refuse a request with an Idempotency-Key. Raises BadParameter."""
    if key is not None:
        raise BadParameter(
            "Idempotency-Key",
            "The direct backend keeps no answer for a repeated request: leave the header out, or"
            " set claude.backend to cli",
        )
