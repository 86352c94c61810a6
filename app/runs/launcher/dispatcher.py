"""The launcher's dispatcher, which gives queued jobs to supervisors.

It sees every start and every end, whichever process dies. Standard library alone, because the
launcher imports this.
"""

import errno
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from app import processes
from app.records.job import Job
from app.records.job_id import is_job_id
from app.runs import temporary_folder
from app.runs.answer_worker import answer_worker
from app.runs.detect_dead import is_dead, supervisor_of
from app.runs.launcher.background_task import BackgroundTask
from app.runs.launcher.children import Children
from app.runs.launcher.lost_jobs import LostJobs
from app.runs.launcher.orphaned_runs import OrphanedRuns
from app.runs.launcher.pool import Pool
from app.runs.launcher.queue import Queue
from app.runs.launcher.spare_keeper import SPARE_INTERVAL, SpareKeeper
from app.runs.launcher.start_limits import StartLimits
from app.state.disk import NO_ROOM, free_bytes, sync
from app.state.files import make_folder

#: Milliseconds between two attempts at what no event announces.
RETRY_AFTER = 100
#: Seconds between two syncs of the ends of jobs to the disk.
SYNC_INTERVAL = 5.0


class Dispatcher:
    """Starts jobs when the queue allows it, and closes the jobs of supervisors that died.

    Descriptors to wait for are registered with `poll`. `on_event` is called with `started` and the
    id of each job that starts after it has waited, and with `ended` and the id of each job that
    ends.
    """

    def __init__(
        self,
        state: str,
        queue: Queue,
        children: Children,
        pool: Pool,
        poll: "select.poll",
        limits: StartLimits,
        on_event: Callable[[str, str], None],
    ) -> None:
        self._state = state
        self._queue = queue
        self._children = children
        self._pool = pool
        self._poll = poll
        self._limits = limits._replace(min_free=max(limits.min_free, NO_ROOM))
        self._on_event = on_event
        #: Jobs of supervisors that an earlier launcher forked, by a descriptor of the supervisor.
        self._adopted: dict[int, Job] = {}
        #: Jobs that another process claims or closes at the moment; it is not known yet which.
        self._undetermined: list[Job] = []
        self._lost_jobs = LostJobs(children)
        #: Jobs that were given to a supervisor that died before it claimed them.
        self._retried: set[str] = set()
        #: Jobs that were started from the queue: no worker waits for an answer.
        self._unanswered: set[str] = set()
        #: Removes the temporary files of runs that have exited, also those from before a crash.
        self._cleanup = BackgroundTask(
            children, partial(temporary_folder.remove_for_exited_runs, state)
        )
        self._cleanup.is_due = True
        #: Makes the ends of jobs survive a power cut.
        self._sync = BackgroundTask(children, partial(sync, state), SYNC_INTERVAL)
        self._orphaned_runs = OrphanedRuns(state, queue, children, poll)
        self._spares = SpareKeeper(state, queue, pool, limits.runs_memory)
        self._blocked = False
        self._retry_at = 0.0

    def __contains__(self, descriptor: int) -> bool:
        groups = (self._pool, self._adopted, self._orphaned_runs)
        return any(descriptor in group for group in groups)

    def recover(self) -> None:
        """Take over the jobs of an earlier launcher."""
        live = f"{self._state}/live"
        make_folder(live)
        for job_id in filter(is_job_id, os.listdir(live)):
            job = Job(self._state, job_id)
            claim = job.claimed_by()
            # A job of a worker has no process of the CLI.
            if job.is_claimed() and (claim is None or claim.role != "worker"):
                self._adopt(job)
        self._orphaned_runs.recover()
        for job_id in self._queue.read_published():
            request = Job(self._state, job_id).request()
            if request is not None and job_id not in self._queue:
                self._queue.add(job_id, request.answers or request.continues, request.spare)
        self.drop_cancelled()
        self._cleanup.start_if_due()

    def schedule(self) -> int | None:
        """Start the jobs that may start, and publish the queue.

        Returns the milliseconds after which to call this again; None means after the next event.
        """
        try:
            self._pool.keep_ready()
            if not self._blocked:
                self._start_jobs()
            self._queue.publish()
        except OSError:
            # No process, descriptor or disk space is free; a job that ends may free one.
            self._blocked = True
        must_retry = (
            self._undetermined
            or self._lost_jobs.must_retry
            or (self._blocked and not self._queue.is_empty())
        )
        self._blocked = False
        self._pool.limit_memory(self._limits.runs_memory)
        is_missing = self._spares.keep()
        return RETRY_AFTER if must_retry else SPARE_INTERVAL if is_missing else None

    def retry(self) -> None:
        """Try again what could not be determined or done, at most every `RETRY_AFTER`."""
        if time.monotonic() < self._retry_at:
            return
        self._sync.start_if_due()
        self._retry_at = time.monotonic() + RETRY_AFTER / 1000
        undetermined, self._undetermined = self._undetermined, []
        for job in undetermined:
            self._adopt(job)
        self._lost_jobs.retry()

    def publish(self) -> None:
        """Publish the queue for the last time."""
        with suppress(OSError):
            self._queue.publish()

    def start(
        self, job_id: str, continues: str | None, spare: bool, connection: socket.socket
    ) -> None:
        """Start or queue a job; the answer comes from here, or from the job's supervisor."""
        for ended in self._pool.read_messages():
            self._on_idle(ended)
        if job_id in self._queue:
            # The worker asks again, because the answer was lost. It will not ask a third time.
            self._unanswered.add(job_id)
            answer_worker(connection, "queued" if self._queue.waits(job_id) else "known")
            return
        self._queue.add(job_id, continues, spare)
        try:
            self._start_jobs(job_id, connection)
            if self._queue.waits(job_id):
                if self._queue.is_overfull():
                    self._queue.forget(job_id)
                    answer_worker(connection, "full")
                    return
                # Published before the answer, so that the next launcher knows of it.
                self._queue.publish()
                answer_worker(connection, "queued")
        except OSError as error:
            self._queue.forget(job_id)
            answer_worker(connection, f"failed cannot start the job: {error.strerror}")
        connection.close()

    def drop_cancelled(self) -> None:
        """Drop queued jobs that were cancelled, or claimed by an earlier launcher's supervisor."""
        for job in self._queue.remove_claimed():
            self._forget_or_adopt(job)

    def on_readable(self, descriptor: int) -> None:
        """Handle a message of a supervisor, or its exit."""
        if descriptor in self._adopted:
            self._poll.unregister(descriptor)
            os.close(descriptor)
            self._lost_jobs.close(self._adopted.pop(descriptor))
            return
        if descriptor in self._orphaned_runs:
            self._orphaned_runs.on_exited(descriptor)
            return
        job_id = self._pool.on_readable(descriptor)
        if job_id:
            self._on_idle(job_id)

    def _on_idle(self, job_id: str) -> None:
        """A supervisor is done with this job."""
        job = Job(self._state, job_id)
        if job_id in self._unanswered and not job.is_claimed() and job.exists():
            # The supervisor could not claim it, and no worker will ask again.
            self._queue.put_back(job_id)
            self._blocked = True
        else:
            self._forget_or_adopt(job)

    def reap(self) -> None:
        """Reap the children that have exited, and close the jobs of supervisors that died."""
        for child in self._children.reap():
            if (closed := self._lost_jobs.on_child_exit(child.pid)) is not None:
                self._forget(closed)
            for task in (self._cleanup, self._sync):
                task.on_exit(child.pid)
            self._orphaned_runs.on_child_exit(child.pid)
            job = Job(self._state, child.job_id) if child.job_id else None
            if child.status != 0:
                # At once: their session's next job may be the next thing to be started.
                self._children.kill_orphans()
                if job is None or job.has_ended():
                    self._orphaned_runs.end_dead()
            if job is None:
                continue
            # A supervisor that exits after its job may have left temporary files.
            self._cleanup.is_due = True
            if child.status == 0:
                self._forget_or_adopt(job)
            elif job.is_claimed() or job.id in self._retried:
                self._lost_jobs.close(job)
            else:
                # It may have kept a run, which the job does not name.
                self._orphaned_runs.end_dead()
                self._retried.add(job.id)
                self._queue.put_back(job.id)
        self._cleanup.start_if_due()

    def _start_jobs(
        self, requested: str | None = None, connection: socket.socket | None = None
    ) -> None:
        """Start every job that may start.

        A worker waits on the connection for the answer to the job `requested`. Raises OSError; the
        job that could not be started is queued again.
        """
        if not self._queue.is_empty():
            self._require_room()
        while True:
            job_id = self._queue.pop_startable()
            if job_id is None:
                if self._queue.is_empty() or not self._queue.forget_ended():
                    return
                continue
            if job_id != requested:
                self._unanswered.add(job_id)
            try:
                self._pool.assign(
                    job_id,
                    self._queue.continues(job_id),
                    self._queue.fits_spare(job_id),
                    connection if job_id == requested else None,
                )
            except OSError:
                self._queue.put_back(job_id)
                raise
            if job_id != requested:
                self._on_event("started", job_id)

    def _require_room(self) -> None:
        """Check that the disk has room for a job to start. Raises OSError."""
        if free_bytes(self._state) < self._limits.min_free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _forget_or_adopt(self, job: Job) -> None:
        """Forget a job that has ended; count one that another process has claimed as running."""
        if job.has_ended() or not job.is_claimed():
            self._forget(job)
        else:
            self._adopt(job)

    def _adopt(self, job: Job) -> None:
        """Count a job of an earlier launcher as running until its supervisor exits."""
        if job.id not in self._queue:
            request = job.request()
            self._queue.add_running(job.id, request and (request.answers or request.continues))
        try:
            supervisor = supervisor_of(job)
            descriptor = supervisor and processes.open_process(supervisor)
            is_undetermined = descriptor is None and not job.has_ended() and not is_dead(job)
        except OSError:
            # Whether its supervisor lives cannot be determined now.
            self._undetermined.append(job)
            return
        if descriptor is not None:
            self._adopted[descriptor] = job
            self._poll.register(descriptor, select.POLLIN)
        elif is_undetermined:
            self._undetermined.append(job)
        else:
            self._lost_jobs.close(job)

    def _forget(self, job: Job) -> None:
        self._queue.forget(job.id)
        self._retried.discard(job.id)
        self._unanswered.discard(job.id)
        self._sync.is_due = True
        self._on_event("ended", job.id)
