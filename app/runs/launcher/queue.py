"""Which jobs may run now, and what the others wait for.

At most so many run at once, and two that go on with the same session never do. Who comes
first is served first, but a job that waits for its session holds up no other.

The launcher keeps this book, and publishes it (`app.runs.queue_file`). Standard library alone.
"""

import os
from contextlib import suppress

from app import processes
from app.records.job import Job
from app.runs.queue_file import queue_file, read_queue
from app.state.files import is_same
from app.state.record_file import write_record


class Queue:
    """The jobs that run and those that wait; `most_running` and `most_waiting` bound them."""

    def __init__(self, state: str, most_running: int, most_waiting: int) -> None:
        self._state = state
        self._most_running = most_running
        self._most_waiting = most_waiting
        #: The session that each job goes on with, if any.
        self._continues: dict[str, str | None] = {}
        #: The session that each running job's CLI has named, as far as we know.
        self._running: dict[str, str | None] = {}
        self._waiting: list[str] = []
        #: Jobs that were published as waiting and are being started now.
        self._taken: list[str] = []
        self._published: list[list[str]] = []
        #: The file that was published last.
        self._file: os.stat_result | None = None

    def take_over(self) -> list[str]:
        """The jobs that an earlier launcher answered for, as it published them."""
        self._published = read_queue(self._state)
        return [job_id for job_id, _ in self._published]

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._continues

    def waits(self, job_id: str) -> bool:
        """Whether this job waits."""
        return job_id in self._waiting

    def is_empty(self) -> bool:
        """Whether no job waits."""
        return not self._waiting

    def is_overfull(self) -> bool:
        """Whether more jobs wait than may."""
        return len(self._waiting) > self._most_waiting

    def add(self, job_id: str, continues: str | None) -> None:
        """Let a job wait."""
        self._continues[job_id] = continues
        self._waiting.append(job_id)

    def add_running(self, job_id: str, continues: str | None) -> None:
        """Count a job that runs already."""
        self._continues[job_id] = continues
        self._running[job_id] = None

    def take(self) -> str | None:
        """The first job that may run now, which counts as running from here on; None if none."""
        if not self._waiting or len(self._running) >= self._most_running:
            return None
        busy = self._busy_sessions()
        for job_id in self._waiting:
            if self._continues[job_id] not in busy:
                self._waiting.remove(job_id)
                self._running[job_id] = None
                if any(row[0] == job_id for row in self._published):
                    self._taken.append(job_id)
                return job_id
        return None

    def put_back(self, job_id: str) -> None:
        """Let a job that was taken be the next again."""
        del self._running[job_id]
        if job_id in self._taken:
            self._taken.remove(job_id)
        self._waiting.insert(0, job_id)

    def forget(self, job_id: str) -> None:
        """A job has ended, or waits no more."""
        self._continues.pop(job_id, None)
        self._running.pop(job_id, None)
        for jobs in (self._waiting, self._taken):
            with suppress(ValueError):
                jobs.remove(job_id)

    def forget_ended(self) -> bool:
        """Forget who ran and has ended; whether there was anybody.

        The end is known here by a message that may still be on its way, when a client has
        seen it already.
        """
        ended = [each for each in self._running if Job(self._state, each).has_ended()]
        for job_id in ended:
            self.forget(job_id)
        return bool(ended)

    def take_claimed(self) -> list[Job]:
        """Forget who waited and was claimed by somebody else meanwhile, or removed; these."""
        waiting = [Job(self._state, job_id) for job_id in self._waiting]
        found = [each for each in waiting if each.is_claimed() or not each.exists()]
        for job in found:
            self.forget(job.id)
        return found

    def publish(self) -> None:
        """Write down who waits, if that has changed, or if the file is missing. Raises OSError.

        Who is being started stays in it until its supervisor has claimed it: nobody may think
        in between that no one cares for it.
        """
        self._taken = [
            job_id for job_id in self._taken if not Job(self._state, job_id).is_claimed()
        ]
        rows = [[job_id, "start"] for job_id in self._taken]
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
        """The sessions that running jobs go on with or have begun; asked for only if it matters."""
        if not any(self._continues[job_id] for job_id in self._waiting):
            return set()
        for job_id, session in self._running.items():
            if session is None:
                self._running[job_id] = Job(self._state, job_id).read_session()
        sessions = {self._continues[job_id] for job_id in self._running}
        return (sessions | set(self._running.values())) - {None}
