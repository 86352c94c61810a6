"""The launcher's queue: which jobs may start now, in which order.

A limited number of jobs run at once, and never two that continue the same session. The order is
first come, first served, but a job that waits for its session delays no other job.

The launcher publishes its queue (`app.runs.queue_file`). Standard library alone, because the
launcher imports this.
"""

import os
from contextlib import suppress

from app import processes
from app.records.job import Job
from app.runs.queue_file import queue_file, read_queue
from app.state.files import is_same
from app.state.record_file import write_record


class Queue:
    """The running and the waiting jobs, limited by `most_running` and `most_waiting`."""

    def __init__(self, state: str, most_running: int, most_waiting: int) -> None:
        self._state = state
        self._most_running = most_running
        self._most_waiting = most_waiting
        #: The session that each job continues, if any.
        self._continues: dict[str, str | None] = {}
        #: The jobs that a spare can serve.
        self._for_spares: set[str] = set()
        #: The session that each running job's CLI has named, as far as is known.
        self._running: dict[str, str | None] = {}
        #: The sessions of runs whose supervisors lost their launcher, by the runs' ids.
        self._held: dict[str, str] = {}
        self._waiting: list[str] = []
        #: Jobs that were published as waiting and are being started now.
        self._starting: list[str] = []
        self._published: list[list[str]] = []
        #: The file that was published last.
        self._file: os.stat_result | None = None

    def hold(self, run_id: str, session: str) -> None:
        """Let no job continue this session, because a run still has it."""
        self._held[run_id] = session

    def release(self, run_id: str) -> None:
        """The run has ended."""
        self._held.pop(run_id, None)

    def read_published(self) -> list[str]:
        """The jobs in the queue that an earlier launcher published."""
        self._published = read_queue(self._state)
        return [job_id for job_id, _ in self._published]

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._continues

    def continues(self, job_id: str) -> str | None:
        """The session that a job continues, if any."""
        return self._continues.get(job_id)

    def waits(self, job_id: str) -> bool:
        """Whether this job waits."""
        return job_id in self._waiting

    def is_empty(self) -> bool:
        """Whether no job waits."""
        return not self._waiting

    def is_overfull(self) -> bool:
        """Whether more jobs wait than the limit allows."""
        return len(self._waiting) > self._most_waiting

    def fits_spare(self, job_id: str) -> bool:
        """Whether a spare can serve a job."""
        return job_id in self._for_spares

    def add(self, job_id: str, continues: str | None, spare: bool = False) -> None:
        """Add a job that waits; with `spare`, a spare can serve it."""
        self._continues[job_id] = continues
        if spare:
            self._for_spares.add(job_id)
        self._waiting.append(job_id)

    def add_running(self, job_id: str, continues: str | None) -> None:
        """Add a job that runs already."""
        self._continues[job_id] = continues
        self._running[job_id] = None

    def pop_startable(self) -> str | None:
        """The first job that may start, or None; it counts as running from now on."""
        if not self._waiting or len(self._running) >= self._most_running:
            return None
        busy = self._busy_sessions()
        for job_id in self._waiting:
            if self._continues[job_id] not in busy:
                self._waiting.remove(job_id)
                self._running[job_id] = None
                if any(row[0] == job_id for row in self._published):
                    self._starting.append(job_id)
                return job_id
        return None

    def put_back(self, job_id: str) -> None:
        """Return a job that could not be started to the head of the queue."""
        del self._running[job_id]
        if job_id in self._starting:
            self._starting.remove(job_id)
        self._waiting.insert(0, job_id)

    def forget(self, job_id: str) -> None:
        """Remove a job, which has ended or waits no longer."""
        self._continues.pop(job_id, None)
        self._for_spares.discard(job_id)
        self._running.pop(job_id, None)
        for jobs in (self._waiting, self._starting):
            with suppress(ValueError):
                jobs.remove(job_id)

    def forget_ended(self) -> bool:
        """Remove running jobs that have ended; returns whether there were any.

        A client may see an end before the supervisor's message arrives here.
        """
        ended = [each for each in self._running if Job(self._state, each).has_ended()]
        for job_id in ended:
            self.forget(job_id)
        return bool(ended)

    def remove_claimed(self) -> list[Job]:
        """Remove and return waiting jobs that another process has claimed, or that are gone."""
        waiting = [Job(self._state, job_id) for job_id in self._waiting]
        found = [each for each in waiting if each.is_claimed() or not each.exists()]
        for job in found:
            self.forget(job.id)
        return found

    def publish(self) -> None:
        """Write the queue's file if the queue has changed or the file is missing. Raises OSError.

        A job that is being started stays in the file until its supervisor has claimed it, so that
        no process closes it as lost in between.
        """
        self._starting = [
            job_id for job_id in self._starting if not Job(self._state, job_id).is_claimed()
        ]
        rows = [[job_id, "start"] for job_id in self._starting]
        busy = self._busy_sessions()
        for job_id in self._waiting:
            continues = self._continues[job_id]
            rows.append([job_id, "session" if continues in busy else "slot"])
            if continues is not None:
                busy.add(continues)
        path = queue_file(self._state)
        if rows != self._published or not is_same(path, self._file):
            write_record(path, {"boot_id": processes.boot_id(), "rows": rows})
            self._file = os.lstat(path)
            self._published = rows

    def _busy_sessions(self) -> set[str | None]:
        """The sessions of running jobs; empty if no waiting job has a session."""
        if not any(self._continues[job_id] for job_id in self._waiting):
            return set()
        for job_id, session in self._running.items():
            if session is None:
                self._running[job_id] = Job(self._state, job_id).read_session()
        sessions = {self._continues[job_id] for job_id in self._running}
        return (sessions | set(self._running.values()) | set(self._held.values())) - {None}
