"""What the gateway does with jobs: start, follow, cancel, list."""

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from app import audit, processes
from app.auth.users import User, Users
from app.auth.users_file import mend_users
from app.errors import (
    DiskFull,
    JobNotEnded,
    JobNotFound,
    JobNotStarted,
    JobStillRunning,
    QueueFull,
    SessionNotFound,
    ShuttingDown,
)
from app.jobs import listing
from app.jobs.follow import Follower, Watch, wait_for_end
from app.jobs.idempotency import Keys
from app.jobs.index import IndexUnusable, JobIndex
from app.jobs.index_entry import entry_of
from app.jobs.index_tables import Filter
from app.jobs.index_upkeep import IndexUpkeep
from app.jobs.keeper import Keeper
from app.jobs.log_ends import report
from app.jobs.render import result_fields, tell_end, tell_record, tell_running
from app.jobs.retention import remove_old
from app.jobs.spec import Begun, Limits, Order, narrower
from app.jobs.statistics import Statistics
from app.jobs.store import Spool, position_of
from app.metrics import Metrics
from app.records import session_owners
from app.records.job import Job, JobEnd, JobRequest, Wish
from app.records.run import RunStart
from app.runs.cancel import ask_to_end
from app.runs.close_lost import claim_to_close, close_lost
from app.runs.launcher.client import Launch
from app.runs.liveness import is_dead, supervisor_of
from app.runs.queue_file import place_of, queued
from app.runs.sweep import SWEEP_LIMIT
from app.state.disk import NO_ROOM
from app.state.version import write_layout
from app.timestamps import now

log = logging.getLogger(__name__)

Found = TypeVar("Found")

#: Seconds below which a launcher's life was so short that another one is not started at once.
_SHORT_LIFE = 1.0
#: Seconds between two lines of the log that say that the disk is still full.
_TROUBLE_EVERY = 60.0
#: Seconds between two looks for idempotency keys and sessions that can be forgotten.
_FORGET_EVERY = 3600.0
#: Seconds between two times that ends are added to the index.
_INDEX_EVERY = 0.25
#: Rows of a listing between two times that others are served.
_PORTION = 10


class JobService:
    """The jobs of one state folder, as one of possibly many gateway processes sees them.

    A job that a user may not see does not exist for that user. This class alone decides that: a
    Job that it returns may be read.
    """

    def __init__(
        self,
        spool: Spool,
        launch: Launch,
        heartbeat: float,
        kill_grace: float,
        limits: Limits,
        metrics: Metrics,
        users: Users,
    ) -> None:
        self._spool = spool
        self._launch = launch
        self._keys = Keys(spool.state)
        self._heartbeat = heartbeat
        self._kill_grace = kill_grace
        self._limits = limits
        self.metrics = metrics
        self._users = users
        self._index = JobIndex(spool.state)
        self._upkeep = IndexUpkeep(spool, self._index)
        self._keeper = Keeper(spool.state)
        self._statistics = Statistics(spool, self._index)
        self._forget_at = 0.0
        self._stopped = threading.Event()
        self._starter = processes.this_process()
        self._followers: set[Follower] = set()
        self._log_trouble_at = 0.0
        #: Why this process follows no job any more, or None.
        self.stopped_by: str | None = None

    def start(self, order: Order, *, user: User, detached: bool) -> Begun:
        """Start a job, or let it wait for its turn; returns once its CLI runs or it waits.

        A request whose key was seen before gives the job that it started. Raises JobNotStarted
        and QueueFull, and then nothing runs; ShuttingDown when this process is about to end,
        DiskFull when too little of the disk is left, InvalidRequest for a limit beyond the
        operator's, IdempotencyKeyReused, SessionNotFound for a session of another user's.
        """
        if self.stopped_by:
            raise ShuttingDown("/chat")
        self._check_session(order, user)
        job = Job(self._spool.state, str(uuid4()))
        is_new = True
        try:
            if order.key is None:
                self._create(job, order, user, detached)
            else:
                create = partial(self._create, job, order, user, detached)
                job, is_new = self._mended(
                    partial(self._keys.find_or_create, user.id, order.key, create)
                )
            if is_new or not job.is_claimed():
                runs = self._launch.start(job.id, order.continues)
                state = "started" if runs else "queued"
                log.info(
                    "job %s %s for %s in %r",
                    job.id,
                    state,
                    user.name,
                    order.cwd,
                    extra={
                        "job": job.id,
                        "user": user.name,
                        "request_id": order.request_id,
                    },
                )
        except QueueFull:
            # Another request with the same key may have got what was refused to us.
            if job.exists() and not claim_to_close(job):
                return Begun(job, False)
            self._spool.remove(job)
            raise
        except BaseException as error:
            if is_new and job.exists():
                self._undo(job)
            if isinstance(error, OSError):
                raise JobNotStarted(f"cannot start the job: {error}") from error
            raise
        return Begun(job, is_new)

    def _check_session(self, order: Order, user: User) -> None:
        session = order.session_id
        if session is None:
            return
        if order.is_own_session:
            try:
                owner: str | None = self._mended(
                    partial(session_owners.note, self._spool.state, session, user.id)
                )
            except OSError as error:
                raise JobNotStarted(f"cannot start the job: {error}") from error
        else:
            owner = self._owner_of(session)
        # A session without an owner was begun in a terminal: it is the operator's.
        if not user.may_see(owner or ""):
            raise SessionNotFound(session)

    def _mended(self, use: Callable[[], Found]) -> Found:
        """Use a folder of ours; once more if it had to be mended first: a job may have removed it,
        replaced it, or taken its rights away."""
        try:
            return use()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            self._spool.prepare()
            return use()

    def _owner_of(self, session: str) -> str | None:
        state = self._spool.state
        owner = session_owners.owner_of(state, session)
        if owner is not None:
            return owner
        for job in self._spool.living():
            request = job.request()
            if request and request.continues != session and job.read_session() == session:
                return request.user
        # Its job may have ended just now.
        return session_owners.owner_of(state, session)

    def _create(self, job: Job, order: Order, user: User, detached: bool) -> Job:
        if self._spool.free() < self._limits.min_free:
            raise DiskFull
        request = JobRequest(
            id=job.id,
            cwd=order.cwd,
            model=order.model,
            session_id=order.session_id,
            started_at=now(),
            user=user.id,
            starter=self._starter,
            prompt_length=order.prompt_length,
            detached=detached,
            timeout=narrower("timeout", order.timeout, self._limits.timeout),
            idle_timeout=narrower("idle_timeout", order.idle_timeout, self._limits.idle_timeout),
            max_output=self._limits.max_output or None,
            continues=order.continues,
            request_id=order.request_id,
            title=order.title,
        )
        command = order.command
        roots = [str(root) for root in self._limits.roots]
        start = RunStart(order.cwd, command.arguments, self._kill_grace, roots)
        try:
            job.create(request, start, command.input, command.files)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            # A folder of ours was removed, replaced, or its rights were taken away.
            self._spool.remove(job)
            self._spool.prepare()
            job.create(request, start, command.input, command.files)
        return job

    @contextmanager
    def follow(self, job: Job, position: int) -> Iterator[Follower]:
        """A follower of the job's output; `stop` of this service ends it."""
        with self._watch(job) as watch:
            follower = Follower(watch, position, self._heartbeat)
            self._followers.add(follower)
            try:
                if self.stopped_by:
                    follower.stop(self.stopped_by)
                yield follower
            finally:
                self._followers.discard(follower)

    def stop(self, reason: str) -> None:
        """End every follower of this process, now and from now on; no job is touched."""
        self.stopped_by = reason
        self._stopped.set()
        for follower in self._followers:
            follower.stop(reason)

    def abandon(self, job: Job, why: str = "its client went away") -> None:
        """Cancel a job without waiting for its end; nothing happens if it has ended."""
        request = job.request()
        if request is not None and job.end() is None:
            audit.cancelled(job.id, self._users.name_of(request.user), why)
            self._ask_to_end(job)

    def cancel(self, job_id: str, user: User) -> JobEnd:
        """End a job as this user asked; returns how it ended, once nothing of it is left running.

        Raises JobNotFound for one that is unknown, has ended, or ends by itself at this
        moment, and JobNotEnded if SIGKILL was not enough.
        """
        job = self._find_running(job_id, user)
        audit.cancelled(job_id, user.name, f"requested by {user.name}")
        with self._watch(job) as watch:
            self._ask_to_end(job)
            if not wait_for_end(watch, self._kill_grace + SWEEP_LIMIT + 10):
                raise JobNotEnded("cannot end the job: a process of it does not die")
        ended = job.end()
        if ended is None or ended.status in ("succeeded", "failed"):
            raise JobNotFound(job_id)
        if ended.left:
            raise JobNotEnded(
                f"cannot end {ended.left} processes of the job: they are another user's, or stuck"
            )
        return ended

    def interrupt(self, job_id: str, user: User) -> None:
        """Send the CLI one SIGINT: it stops its turn and writes its `result`; does not wait.

        Raises JobNotFound for a job that is unknown or has ended.
        """
        job = self._find_running(job_id, user)
        audit.interrupted(job_id, user.name)
        self._ask_to_end(job, "interrupt")

    def remove(self, job_id: str, user: User) -> None:
        """Remove an ended job as this user asked, with its record, its output and its key.

        Raises JobNotFound for one that is unknown, and JobStillRunning for one that has not ended.
        """
        job = self.find(job_id, user)
        self._close_if_dead(job)
        if job.end() is None:
            raise JobStillRunning(job_id)
        # Its end counts, also if no launcher was there to report it.
        self._report(job)
        audit.removed(job_id, user.name)
        entry = entry_of(job)
        self._spool.remove(job)
        with suppress(IndexUnusable):
            # Otherwise the keeper finds out that it is gone.
            self._index.remove([job_id], [entry] if entry else [])

    def find(self, job_id: str, user: User) -> Job:
        """The job of this id, running or ended, that this user may see. Raises JobNotFound."""
        job = self._spool.job(job_id)
        request = None if job is None else job.request()
        if job is None or request is None or not user.may_see(request.user):
            raise JobNotFound(job_id)
        return job

    def _find_running(self, job_id: str, user: User) -> Job:
        job = self.find(job_id, user)
        if job.end() is not None:
            raise JobNotFound(job_id)
        return job

    def newest(
        self, user: User, status: str | None, limit: int, before: str | None
    ) -> list[dict[str, Any]]:
        """Records that this user may see, the newest first.

        `before` is the id of a job that was started later. Raises JobNotFound.
        """
        place = None
        if before is not None and (place := position_of(self.find(before, user))) is None:
            raise JobNotFound(before)
        wanted = Filter(status, None if user.is_operator or user.shares else user.id)
        rows: list[dict[str, Any]] = []
        for number, job in enumerate(listing.newest(self._spool, self._index, wanted, place)):
            if number % _PORTION == _PORTION - 1:
                time.sleep(0)
            request, end = job.request(), job.end()
            if request is None or not user.may_see(request.user):
                continue
            if end is not None and status not in (None, end.status):
                continue
            try:
                record = self._record(job, request, end)
            except JobNotFound:
                # Its record is damaged, or it was removed just now.
                continue
            if status in (None, record["status"]):
                rows.append(record)
            if len(rows) == limit:
                break
        return rows

    def record(self, job: Job) -> dict[str, Any]:
        """All that is known of a job. Raises JobNotFound."""
        return self._record(job, job.request(), job.end())

    def _record(self, job: Job, request: JobRequest | None, end: JobEnd | None) -> dict[str, Any]:
        if end is None:
            self._close_if_dead(job)
            request, end = job.request(), job.end()
        if request is None:
            raise JobNotFound(job.id)
        name = self._users.name_of(request.user)
        return tell_record(job, request, name, end, None if end else place_of(job))

    def running(self, user: User) -> list[dict[str, Any]]:
        """What runs or waits now and this user may see, as `GET /processes` shows it.

        The oldest comes first.
        """
        rows = []
        for job in self._spool.living():
            self._close_if_dead(job)
            request = job.request()
            if request is not None and user.may_see(request.user) and job.end() is None:
                name = self._users.name_of(request.user)
                rows.append(tell_running(job, request, name, place_of(job)))
        return sorted(rows, key=lambda row: str(row["started_at"]))

    def sums(self, user: User) -> dict[str, Any]:
        """What the jobs that this user may see came to, as `GET /stats` shows it."""
        sums = self._statistics.sums(user.may_see, self._users.name_of)
        states = Counter(row["status"] for row in self.running(user))
        sums["jobs"].update(running=states["running"], queued=states["queued"])
        return sums

    def end_of(self, job: Job) -> dict[str, Any]:
        """How a job ended, as in `event: done`.

        Raises JobNotFound if it has not ended, and JobNotStarted if its CLI could not be started.
        """
        ended = job.end()
        if ended is None:
            raise JobNotFound(job.id)
        if ended.never_started:
            raise JobNotStarted(ended.error or "cannot start the job")
        return tell_end(job, ended)

    def result_of(self, job: Job) -> dict[str, Any]:
        """All that the CLI's last `result` line says; {} if it wrote none, or has not ended."""
        ended = job.end()
        return {} if ended is None else result_fields(job, ended)

    def _undo(self, job: Job) -> None:
        """Remove a job that did not start, or cancel it if it started all the same."""
        if supervisor_of(job) is not None:
            self.abandon(job)
            return
        for process in processes.marked(job.run.id):
            processes.send_signal(process, signal.SIGKILL)
        self._report(job)
        self._spool.remove(job)

    def look_after(self) -> None:
        """Close the jobs that nobody is left to end, and remove those that ended long ago.

        Tells of the ends that the launcher could tell nobody.
        """
        self._log_trouble()
        self._spool.prepare()
        write_layout(self._spool.state)
        mend_users(self._spool.state, self._users)
        for job in self._spool.living():
            self._close_if_dead(job)
        self._report_all()
        if self._keeper.is_elected():
            self._clear_away()

    def _clear_away(self) -> None:
        """Remove what is kept no longer; one worker does that."""
        remove_old(self._spool, self._index, self._limits.retention)
        self._spool.tidy()
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET_EVERY
            self._keys.forget_removed()
            session_owners.forget_old(self._spool.state)

    def keep_index(self) -> None:
        """Keep the index of jobs up to date until this process stops."""
        write_at = 0.0
        while not self.stopped_by:
            begun = time.monotonic()
            is_busy = False
            try:
                if begun >= write_at:
                    write_at = begun + _INDEX_EVERY
                    self._upkeep.write_noted()
                is_busy = self._keeper.is_elected() and self._upkeep.step()
            except Exception:
                # What fails now must not keep it from going on for ever.
                log.exception("cannot keep the index of jobs")
            # While there is more to do, half of the time is for others.
            used = time.monotonic() - begun
            self._stopped.wait(max(used, 0.001) if is_busy else _INDEX_EVERY)
        self._keeper.resign()

    def trouble(self) -> str | None:
        """What keeps jobs from going on now, in words for a client; None if all is well."""
        try:
            is_full = self._spool.free() < NO_ROOM
        except OSError:
            return None
        return "the disk is full: jobs cannot write their output or their end" if is_full else None

    def _log_trouble(self) -> None:
        """Log what keeps jobs from going on, once a minute and by one process."""
        now = time.monotonic()
        if now < self._log_trouble_at or not self._keeper.is_elected():
            return
        trouble = self.trouble()
        if trouble is not None:
            self._log_trouble_at = now + _TROUBLE_EVERY
            running, _ = self._spool.count()
            log.error("%s (STATE_DIR %s; %d jobs run)", trouble, self._spool.state, running)

    def keep_launcher(self) -> None:
        """Have a launcher until this process stops, so that those who wait are started.

        Returns when the gateway's first process has gone.
        """
        was_short = False
        while not self.stopped_by and self._has_owner():
            begun = time.monotonic()
            made_room = False
            try:
                made_room = self._launch.stay(self._hear)
            except (JobNotStarted, OSError) as error:
                self._launch.is_there = False
                log.error("cannot keep a launcher: %s", error)
            is_short = not made_room and time.monotonic() - begun < _SHORT_LIFE
            if is_short:
                # Whatever ends it would end the next one, too; once alone is no alarm.
                self._launch.is_there &= not was_short
                time.sleep(_SHORT_LIFE)
            was_short = is_short

    def _has_owner(self) -> bool:
        try:
            return self._launch.is_owned()
        except OSError as error:
            # It may well be there.
            log.error("cannot look for the gateway's first process: %s", error)
            return True

    def has_launcher(self) -> bool:
        """Whether jobs can be started and are taken from the queue, as far as is known."""
        return self._launch.is_there

    def _hear(self, event: str, job_id: str) -> None:
        """What the launcher tells one process of the gateway."""
        job = Job(self._spool.state, job_id)
        if event == "staying":
            # Of what ended while there was no launcher, nobody is told.
            self._report_all()
        elif event == "ended":
            self._report(job)
        elif event == "started" and (request := job.request()) is not None:
            name = self._users.name_of(request.user)
            told = {"job": job_id, "user": name, "request_id": request.request_id}
            log.info("job %s started: its turn has come", job_id, extra=told)

    def _report_all(self) -> None:
        for job in self._spool.unlogged():
            self._report(job)

    def _report(self, job: Job) -> None:
        """Log a job's end, and count it, unless that has been done."""
        ended = report(job, self._users.name_of)
        if ended is not None:
            self.metrics.count_end(ended.status, ended.seconds, ended.result)
            if ended.entry is not None:
                self._upkeep.note(ended.entry)

    def _ask_to_end(self, job: Job, wish: Wish = "cancel") -> None:
        ask_to_end(job, wish)
        try:
            waits = job.id in queued(self._spool.state)
        except OSError:
            # It may wait: the launcher knows.
            waits = True
        if waits:
            self._launch.tell_of_cancellation()

    def _watch(self, job: Job) -> Watch:
        return Watch(job, self._close_if_dead)

    def _close_if_dead(self, job: Job) -> None:
        try:
            if not job.exists():
                # Removed by hand.
                self._spool.remove(job)
            elif is_dead(job) and close_lost(job):
                told = {"job": job.id}
                log.warning("job %s lost its supervisor", job.id, extra=told)
        except OSError as error:
            # One job that cannot be closed, on a full disk say, must not disturb the others.
            log.error("cannot close job %s: %s", job.id, error)
