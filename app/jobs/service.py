"""The operations on jobs: start, follow, cancel, list."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, Protocol

from app import audit
from app.auth.users import User, Users
from app.errors import (
    JobNotEnded,
    JobNotFound,
    JobNotStarted,
    JobStillRunning,
    ShuttingDown,
)
from app.jobs.asked import render_asked
from app.jobs.follow import Follower, Watch, wait_for_end
from app.jobs.index import IndexUnusable, JobIndex
from app.jobs.job_json import render_end, render_record, render_running, result_fields
from app.jobs.log_ends import EndLog
from app.jobs.spec import JobSpec
from app.jobs.starter import JobStarter
from app.jobs.statistics import Statistics
from app.jobs.store import Spool
from app.metrics import Metrics
from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest
from app.runs.cancel import ask_to_end
from app.runs.end_processes import KILL_PATIENCE
from app.runs.launcher.client import LauncherClient
from app.runs.queue_file import place_of, queued


class Stoppable(Protocol):
    """Something that waits, and that the end of this process has to stop."""

    def stop(self, reason: str) -> None:
        """End the wait early."""


class JobService:
    """The jobs of one state folder, as one worker sees them.

    A job that a user may not see does not exist for that user. Only this class checks that: a Job
    that it returns may be read.
    """

    def __init__(
        self,
        spool: Spool,
        launcher: LauncherClient,
        starter: JobStarter,
        index: JobIndex,
        ends: EndLog,
        metrics: Metrics,
        users: Users,
        heartbeat: float,
        kill_grace: float,
    ) -> None:
        self._spool = spool
        self._launcher = launcher
        self._starter = starter
        self._index = index
        self._ends = ends
        self.metrics = metrics
        self._users = users
        self._heartbeat = heartbeat
        self._kill_grace = kill_grace
        self._statistics = Statistics(spool, index)
        self._waiting: set[Stoppable] = set()
        #: Why this process follows no jobs any more, or None.
        self.stopped_by: str | None = None

    def start(self, spec: JobSpec, *, user: User, detached: bool) -> tuple[Job, bool]:
        """Start or queue a job; returns it, and whether it is new, as `JobStarter.start`.

        Raises what that raises, and ShuttingDown when this process is about to end.
        """
        if self.stopped_by:
            raise ShuttingDown("/chat")
        return self._starter.start(spec, user, detached)

    @contextmanager
    def follow(self, job: Job, position: int) -> Iterator[Follower]:
        """A follower of the job's output; `stop` of this service ends it."""
        with self._watch(job) as watch:
            follower = Follower(watch, position, self._heartbeat)
            with self.ends_at_stop(follower):
                yield follower

    @contextmanager
    def ends_at_stop(self, waiting: Stoppable) -> Iterator[None]:
        """While this context is open, `stop` of this service stops `waiting`, too."""
        self._waiting.add(waiting)
        try:
            if self.stopped_by:
                waiting.stop(self.stopped_by)
            yield
        finally:
            self._waiting.discard(waiting)

    def stop(self, reason: str) -> None:
        """End all followers of this process, later ones too; the jobs go on."""
        self.stopped_by = reason
        for waiting in self._waiting:
            waiting.stop(reason)

    def abandon(
        self, job: Job, why: str = "its client went away", *, ends_run: bool = False
    ) -> None:
        """Cancel a job without waiting for its end; does nothing if it has ended.

        A run that is kept goes on for the session's next job, unless this `ends_run`.
        """
        request = job.request()
        if request is not None and job.end() is None:
            audit.cancelled(job.id, self._users.name_of(request.user), why)
            is_kept = request.keep_alive and not ends_run
            self._ask_to_end(job, "interrupt" if is_kept else "cancel")

    def complete(self, job: Job, reason: str) -> None:
        """End a job that runs on though its answer has ended, for this reason; does not wait."""
        ask_to_end(job, "complete", reason)

    def cancel(self, job_id: str, user: User) -> JobEnd:
        """Cancel a job for this user; returns its end once none of its processes is left.

        Raises JobNotFound if it is unknown, has ended, or ends by itself at this moment, and
        JobNotEnded if SIGKILL was not enough.
        """
        job = self._find_running(job_id, user)
        audit.cancelled(job_id, user.name, f"requested by {user.name}")
        with self._watch(job) as watch:
            self._ask_to_end(job)
            if not wait_for_end(watch, self._kill_grace + KILL_PATIENCE + 10):
                raise JobNotEnded("cannot end the job: one of its processes does not end")
        ended = job.end()
        if ended is None or ended.status in ("succeeded", "failed"):
            raise JobNotFound(job_id)
        if ended.left:
            raise JobNotEnded(
                f"cannot end {ended.left} processes of the job: they belong to another user, or are"
                " stuck in the kernel"
            )
        return ended

    def interrupt(self, job_id: str, user: User) -> None:
        """Send the CLI one SIGINT, without waiting: it stops its turn and prints its `result`.

        Raises JobNotFound if the job is unknown or has ended.
        """
        job = self._find_running(job_id, user)
        audit.interrupted(job_id, user.name)
        self._ask_to_end(job, "interrupt")

    def remove(self, job_id: str, user: User) -> None:
        """Remove an ended job for this user, with its record, its output and its key.

        Raises JobNotFound if it is unknown, and JobStillRunning if it has not ended.
        """
        job = self.find(job_id, user)
        self._spool.close_if_dead(job)
        if job.end() is None:
            raise JobStillRunning(job_id)
        # Its end counts even if no launcher has reported it.
        self._ends.add(job)
        audit.removed(job_id, user.name)
        self._spool.remove(job)
        with suppress(IndexUnusable):
            # If this fails, the keeper notices that the job is gone.
            self._index.remove([job_id])

    def log_end(self, job: Job) -> None:
        """Log and count a job's end, unless that was done."""
        self._ends.add(job)

    def find(self, job_id: str, user: User) -> Job:
        """The job with this id, if this user may see it. Raises JobNotFound."""
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

    def record(self, job: Job) -> dict[str, Any]:
        """A job's record. Raises JobNotFound."""
        return self.record_of(job, job.request(), job.end())

    def record_of(self, job: Job, request: JobRequest | None, end: JobEnd | None) -> dict[str, Any]:
        """A job's record, made of its request and its end, as they were read. Raises JobNotFound.

        A job without an end is closed if its supervisor died.
        """
        if end is None:
            self._spool.close_if_dead(job)
            request, end = job.request(), job.end()
        if request is None:
            raise JobNotFound(job.id)
        name = self._users.name_of(request.user)
        return render_record(job, request, name, end, None if end else place_of(job))

    def asked(self, job_id: str, user: User) -> dict[str, Any]:
        """What clients asked of a job that this user may see. Raises JobNotFound."""
        job = self.find(job_id, user)
        request = job.request()
        if request is None:
            raise JobNotFound(job_id)
        return render_asked(job, request, self._users.name_of)

    def running(self, user: User) -> list[dict[str, Any]]:
        """The running or queued jobs that this user may see, as `GET /processes` shows them.

        The oldest comes first.
        """
        rows = []
        for job in self._spool.living():
            self._spool.close_if_dead(job)
            request = job.request()
            if request is not None and user.may_see(request.user) and job.end() is None:
                name = self._users.name_of(request.user)
                rows.append(render_running(job, request, name, place_of(job)))
        return sorted(rows, key=lambda row: str(row["started_at"]))

    def sums(self, user: User) -> dict[str, Any]:
        """The totals of the jobs that this user may see, as `GET /stats` shows them."""
        sums = self._statistics.sums(user.may_see, self._users.name_of)
        states = Counter(row["status"] for row in self.running(user))
        sums["jobs"].update(running=states["running"], queued=states["queued"])
        return sums

    def end_of(self, job: Job) -> dict[str, Any]:
        """How a job ended: the data of `event: done`.

        Raises JobNotFound if it has not ended, and JobNotStarted if its CLI could not be started.
        """
        ended = job.end()
        if ended is None:
            raise JobNotFound(job.id)
        if ended.never_started:
            raise JobNotStarted(ended.error or "cannot start the job")
        return render_end(job, ended)

    def result_of(self, job: Job) -> dict[str, Any]:
        """All fields of the CLI's last `result` line; {} if there is none, or no end yet."""
        ended = job.end()
        return {} if ended is None else result_fields(job, ended)

    def trouble(self) -> str | None:
        """What blocks all jobs now, as a message for clients; None if nothing does."""
        return self._spool.trouble()

    def has_launcher(self) -> bool:
        """Whether a launcher runs, as far as is known."""
        return self._launcher.is_available

    def _ask_to_end(self, job: Job, wish: Literal["cancel", "interrupt"] = "cancel") -> None:
        ask_to_end(job, wish)
        try:
            waits = job.id in queued(self._spool.state)
        except OSError:
            # It may be queued: the launcher knows.
            waits = True
        if waits:
            self._launcher.report_cancellation()

    def _watch(self, job: Job) -> Watch:
        return Watch(job, self._spool.close_if_dead)
