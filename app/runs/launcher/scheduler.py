"""Whose turn it is, done: the queue's decisions become supervisors with jobs.

The launcher's own: it sees every start and every end, whoever died. Standard library alone.
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
from app.records.job import Job, is_job_id
from app.runs import temporary
from app.runs.close_lost import close_lost
from app.runs.launcher.chore import Chore
from app.runs.launcher.pool import Pool, answer
from app.runs.launcher.queue import Queue
from app.runs.liveness import is_dead, supervisor_of
from app.state.disk import NO_ROOM, free_bytes
from app.state.files import make_folder, sync

#: Milliseconds between two tries at what nobody will tell us has become possible.
AGAIN = 100
#: Seconds between two times that the ends of jobs are brought to the disk.
SYNC_AFTER = 5.0


class Turns:
    """Starts jobs when their turn comes, and has those closed whose supervisor died.

    Descriptors to wait for are registered with `poll`. `tell` is told `started` and the id of
    each job whose turn comes after it has waited, and `ended` and that of each that ends. With
    fewer than `min_free` bytes of the disk left, nothing is started.
    """

    def __init__(
        self,
        state: str,
        queue: Queue,
        pool: Pool,
        poll: "select.poll",
        min_free: int,
        tell: Callable[[str, str], None],
    ) -> None:
        self._state = state
        self._queue = queue
        self._pool = pool
        self._poll = poll
        self._min_free = max(min_free, NO_ROOM)
        self._tell = tell
        #: Jobs that supervisors of an earlier launcher run, by a descriptor of the supervisor.
        self._adopted: dict[int, Job] = {}
        #: Jobs that somebody claimed, or closes, just now; who it is will be seen soon.
        self._unsettled: list[Job] = []
        #: Jobs that nobody runs any more and that could not be closed yet.
        self._unclosed: list[Job] = []
        #: The job that each child closes, by its pid.
        self._closing: dict[int, Job] = {}
        #: Jobs whose supervisor died before it had claimed them.
        self._unlucky: set[str] = set()
        #: Jobs that were started when their turn came: no worker waits for an answer.
        self._unheard: set[str] = set()
        #: Removes temporary files of jobs that have ended; what a crash has left, too.
        self._tidying = Chore(pool, partial(temporary.sweep, state))
        self._tidying.is_due = True
        #: Has the ends of jobs outlive a power cut.
        self._syncing = Chore(pool, partial(sync, state), SYNC_AFTER)
        self._blocked = False
        self._settle_at = 0.0

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._pool or descriptor in self._adopted

    def recover(self) -> None:
        """Go on where an earlier launcher stopped."""
        live = f"{self._state}/live"
        make_folder(live)
        for job_id in filter(is_job_id, os.listdir(live)):
            job = Job(self._state, job_id)
            if job.is_claimed():
                self._adopt(job)
        for job_id in self._queue.take_over():
            request = Job(self._state, job_id).request()
            if request is not None and job_id not in self._queue:
                self._queue.add(job_id, request.continues)
        self.look()
        self._tidying.start()

    def go_on(self) -> int | None:
        """Start whose turn it is, and publish who waits; returns how long to wait for more.

        In milliseconds, None for as long as nothing happens.
        """
        try:
            self._pool.keep_ready()
            if not self._blocked:
                self._start_who_may()
            self._queue.publish()
        except OSError:
            # No process, no descriptor or no room on the disk; others may end meanwhile.
            self._blocked = True
        again = self._unsettled or self._unclosed or (self._blocked and not self._queue.is_empty())
        self._blocked = False
        return AGAIN if again else None

    def settle(self) -> None:
        """Look again at what could not be decided, now and then."""
        if time.monotonic() < self._settle_at:
            return
        self._syncing.start()
        self._settle_at = time.monotonic() + AGAIN / 1000
        unsettled, self._unsettled = self._unsettled, []
        for job in unsettled:
            self._adopt(job)
        unclosed, self._unclosed = self._unclosed, []
        for job in unclosed:
            self._close(job)

    def publish(self) -> None:
        """Publish who waits, for the last time."""
        with suppress(OSError):
            self._queue.publish()

    def start(self, job_id: str, continues: str | None, connection: socket.socket) -> None:
        """Start a job, or let it wait; answers on the connection, or has a supervisor do it."""
        if job_id in self._queue:
            # Asked again, because an answer was lost.
            answer(connection, "queued" if self._queue.waits(job_id) else "known")
            return
        self._queue.add(job_id, continues)
        try:
            self._start_who_may(job_id, connection)
            if self._queue.waits(job_id):
                if self._queue.is_overfull():
                    self._queue.forget(job_id)
                    answer(connection, "full")
                    return
                # Before it is promised: the next launcher must know of it.
                self._queue.publish()
                answer(connection, "queued")
        except OSError as error:
            self._queue.forget(job_id)
            answer(connection, f"failed cannot start the job: {error.strerror}")
        connection.close()

    def look(self) -> None:
        """Find who was cancelled while he waited, or is run by an earlier launcher's supervisor."""
        for job in self._queue.take_claimed():
            self._settle(job)

    def hear(self, descriptor: int) -> None:
        """A supervisor says something, or has ended."""
        if descriptor in self._adopted:
            self._poll.unregister(descriptor)
            os.close(descriptor)
            self._close(self._adopted.pop(descriptor))
            return
        job_id = self._pool.hear(descriptor)
        if not job_id:
            return
        job = Job(self._state, job_id)
        if job_id in self._unheard and not job.is_claimed() and job.exists():
            # It could not be claimed. Nobody was told, and nobody asks again.
            self._queue.put_back(job_id)
            self._blocked = True
        else:
            self._settle(job)

    def reap(self) -> None:
        """Wait for the children that have ended; have the jobs of supervisors closed that died."""
        for reaped in self._pool.reap():
            closed = self._closing.pop(reaped.pid, None)
            if closed is not None:
                if closed.has_ended() or not closed.exists():
                    self._forget(closed)
                else:
                    # Somebody else is at it, or the disk is full.
                    self._unclosed.append(closed)
            for chore in (self._tidying, self._syncing):
                chore.reap(reaped.pid)
            if not reaped.job_id:
                continue
            # A supervisor that ends with its job may have left temporary files.
            self._tidying.is_due = True
            job = Job(self._state, reaped.job_id)
            if reaped.status == 0:
                self._settle(job)
            elif job.is_claimed() or job.id in self._unlucky:
                self._pool.end_orphans()
                self._close(job)
            else:
                self._unlucky.add(job.id)
                self._queue.put_back(job.id)
        self._tidying.start()

    def _start_who_may(
        self, asking: str | None = None, connection: socket.socket | None = None
    ) -> None:
        """Start everyone whose turn it is. Raises OSError; who was to be started waits again."""
        if not self._queue.is_empty():
            self._require_room()
        while True:
            job_id = self._queue.take()
            if job_id is None:
                if self._queue.is_empty() or not self._queue.forget_ended():
                    return
                continue
            if job_id != asking:
                self._unheard.add(job_id)
            try:
                self._pool.hand_over(job_id, connection if job_id == asking else None)
            except OSError:
                self._queue.put_back(job_id)
                raise
            if job_id != asking:
                self._tell("started", job_id)

    def _require_room(self) -> None:
        """Raises OSError if the disk has too little room for a job to start."""
        if free_bytes(self._state) < self._min_free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _settle(self, job: Job) -> None:
        """Forget a job that has ended; one that somebody else has claimed counts as running."""
        if job.has_ended() or not job.is_claimed():
            self._forget(job)
        else:
            self._adopt(job)

    def _adopt(self, job: Job) -> None:
        """Count a job that a supervisor of an earlier launcher runs, until that one ends."""
        if job.id not in self._queue:
            request = job.request()
            self._queue.add_running(job.id, request and request.continues)
        try:
            supervisor = supervisor_of(job)
            descriptor = supervisor and processes.open_process(supervisor)
            is_unsettled = descriptor is None and not job.has_ended() and not is_dead(job)
        except OSError:
            # It cannot be found out now whether its supervisor lives.
            self._unsettled.append(job)
            return
        if descriptor is not None:
            self._adopted[descriptor] = job
            self._poll.register(descriptor, select.POLLIN)
        elif is_unsettled:
            self._unsettled.append(job)
        else:
            self._close(job)

    def _close(self, job: Job) -> None:
        """Have a job closed whose supervisor has gone; nothing happens if it has ended.

        Its slot and its session are another's only when nothing of it is left.
        """
        try:
            self._closing[self._pool.fork(partial(close_lost, job))] = job
        except OSError:
            # No process to be had.
            self._unclosed.append(job)

    def _forget(self, job: Job) -> None:
        self._queue.forget(job.id)
        self._unlucky.discard(job.id)
        self._unheard.discard(job.id)
        self._syncing.is_due = True
        self._tell("ended", job.id)
