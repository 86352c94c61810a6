"""The start of a job, from its folder to the launcher's answer."""

import logging
import signal
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from uuid import uuid4

from app import audit, processes
from app.auth.users import User
from app.cli.command import CLIENT_TOOLS
from app.errors import (
    DiskFull,
    JobNotStarted,
    QueueFull,
    SessionExists,
    SessionInUse,
    SessionNotFound,
)
from app.jobs.idempotency import Keys
from app.jobs.limits import Limits, narrowed
from app.jobs.log_ends import EndLog
from app.jobs.sessions import Sessions
from app.jobs.spares import Spares
from app.jobs.spec import JobSpec
from app.jobs.store import Spool
from app.records import event_journal, sent_fields, session_users
from app.records.job import Job
from app.records.job_records import JobRequest
from app.records.run import RunStart
from app.records.start_stamps import stamps_of
from app.runs.cancel import ask_to_end
from app.runs.close_lost import claim_to_close
from app.runs.detect_dead import supervisor_of
from app.runs.launcher.client import LauncherClient
from app.state.lock import locked
from app.timestamps import now

log = logging.getLogger(__name__)

Found = TypeVar("Found")


class JobStarter:
    """Starts jobs in a spool, through the launcher."""

    def __init__(
        self,
        spool: Spool,
        launcher: LauncherClient,
        keys: Keys,
        limits: Limits,
        ends: EndLog,
        sessions: Sessions,
        spares: Spares,
    ) -> None:
        self._spool = spool
        self._launcher = launcher
        self._keys = keys
        self._limits = limits
        self._ends = ends
        self._sessions = sessions
        self._spares = spares
        self._starter = processes.this_process()

    def start(self, spec: JobSpec, user: User, detached: bool) -> tuple[Job, bool]:
        """Start or queue a job; returns it, and whether it is new.

        Returns once its CLI runs or it is queued. A key that was sent before means the job that it
        started. Raises JobNotStarted, QueueFull, DiskFull, InvalidRequest for a limit beyond the
        operator's, IdempotencyKeyReused, SessionNotFound for another user's session, SessionInUse
        and SessionExists, and what `before_launch` raises. After an error, nothing runs.
        """
        self._check_session(spec, user)
        job = Job(self._spool.state, str(uuid4()))
        is_new = True
        try:
            if spec.key is None:
                self._create(job, spec, user, detached)
            else:
                create = partial(self._create, job, spec, user, detached)
                job, is_new = self._with_folders(
                    partial(self._keys.find_or_create, user.id, spec.key, create)
                )
            if spec.before_launch is not None:
                spec.before_launch(job)
            if is_new or not job.is_claimed():
                self._launch_and_log(job, spec, user)
        except QueueFull:
            # Another request with the same key may have started the job.
            if job.exists() and not claim_to_close(job):
                return job, False
            self._spool.remove(job)
            self._forget_session(spec)
            raise
        except BaseException as error:
            if is_new and job.exists():
                self._undo(job, spec, user)
            if isinstance(error, OSError):
                raise JobNotStarted(f"cannot start the job: {error}") from error
            raise
        return job, is_new

    def _launch_and_log(self, job: Job, spec: JobSpec, user: User) -> None:
        event_journal.note(job.state, "job", job.id)
        is_running = self._launcher.start(
            job.id, spec.answers or spec.continues, self._spares.fit(spec)
        )
        if not is_running:
            # A reader of the first note may have looked before the job was in the queue.
            event_journal.note(job.state, "job", job.id)
        log.info(
            "job %s %s for %s in %r",
            job.id,
            "started" if is_running else "queued",
            user.name,
            spec.cwd,
            extra={"job": job.id, "user": user.name, "request_id": spec.request_id},
        )

    def _check_session(self, spec: JobSpec, user: User) -> None:
        session = spec.session_id
        if session is None or session == spec.new_session:
            return
        if spec.is_own_session:
            try:
                owner: str | None = self._with_folders(
                    partial(session_users.remember, self._spool.state, session, user.id)
                )
            except OSError as error:
                raise JobNotStarted(f"cannot start the job: {error}") from error
        else:
            owner = self._sessions.user_of(session)
        # An unknown session was started in a terminal: it belongs to the operator.
        if not user.may_see(owner or ""):
            raise SessionNotFound(session)

    def _begin_session(self, session: str, user: User) -> None:
        """Make a new session the user's. Raises SessionExists and OSError."""
        state = self._spool.state
        with locked(f"{state}/{session_users.FOLDER}"):
            if self._sessions.exist(session):
                raise SessionExists(session)
            session_users.remember(state, session, user.id)

    def _forget_session(self, spec: JobSpec) -> None:
        """Undo `_begin_session`."""
        if spec.new_session:
            session_users.forget(self._spool.state, spec.new_session)

    def _with_folders(self, use: Callable[[], Found]) -> Found:
        """Call `use`; if a job has damaged the folders, mend them and call it again."""
        try:
            return use()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            self._spool.prepare()
            return use()

    def _create(self, job: Job, spec: JobSpec, user: User, detached: bool) -> Job:
        if self._spool.free() < self._limits.min_free:
            raise DiskFull
        if spec.continues not in (None, spec.new_session) and self._sessions.open_sessions.has(
            str(spec.continues)
        ):
            raise SessionInUse(str(spec.continues))
        request = self._request_of(job, spec, user, detached)
        start = self._start_of(spec, request)
        command = spec.command

        def make() -> Job:
            try:
                job.create(request, start, command.input, command.files, command.history)
                if spec.has_more_fields:
                    sent_fields.write(job.path, spec.fields, list(spec.left_out))
            except OSError:
                self._spool.remove(job)
                raise
            return job

        if spec.new_session is None:
            return self._with_folders(make)
        self._with_folders(partial(self._begin_session, spec.new_session, user))
        try:
            return self._with_folders(make)
        except BaseException:
            self._forget_session(spec)
            raise

    def _request_of(self, job: Job, spec: JobSpec, user: User, detached: bool) -> JobRequest:
        """The record of the request. Raises InvalidRequest if a limit exceeds the operator's."""
        return JobRequest(
            id=job.id,
            cwd=spec.cwd,
            model=spec.model,
            session_id=spec.session_id,
            started_at=now(),
            user=user.id,
            starter=self._starter,
            prompt_length=spec.prompt_length,
            detached=detached,
            timeout=narrowed("timeout", spec.timeout, self._limits.timeout),
            idle_timeout=narrowed("idle_timeout", spec.idle_timeout, self._limits.idle_timeout),
            max_output=self._limits.max_output or None,
            continues=spec.continues,
            request_id=spec.request_id,
            title=spec.title,
            ask=spec.ask,
            ask_timeout=spec.ask_timeout,
            keep_alive=spec.keep_alive,
            background_wait=self._background_wait(spec),
            spare=self._spares.fit(spec),
            answers=spec.answers,
            hold=spec.hold,
            new_session=spec.new_session,
        )

    def _start_of(self, spec: JobSpec, request: JobRequest) -> RunStart:
        """What the run is started with that is prepared for the job."""
        command = spec.command
        may_share = spec.talks or request.spare
        return RunStart(
            spec.cwd,
            command.arguments,
            self._limits.kill_grace,
            [str(root) for root in self._limits.roots],
            spec.talks,
            stamps_of(command.arguments, spec.cwd) if may_share else [],
            dict(command.variables),
            CLIENT_TOOLS in command.files,
            self._limits.start_retries,
        )

    def _background_wait(self, spec: JobSpec) -> float:
        """Seconds that commands in the background have; in a kept run they stay with the run."""
        if spec.background_wait is not None:
            return spec.background_wait
        return 0.0 if spec.keep_alive else self._limits.background_wait

    def _undo(self, job: Job, spec: JobSpec, user: User) -> None:
        """Remove a job that did not start, or cancel it if it did."""
        if supervisor_of(job) is not None:
            audit.cancelled(job.id, user.name, "its client went away")
            ask_to_end(job)
            return
        for process in processes.marked(job.prepared.id):
            processes.send_signal(process, signal.SIGKILL)
        self._ends.add(job)
        self._spool.remove(job)
        self._forget_session(spec)
