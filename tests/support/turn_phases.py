"""The phases of a turn of a kept run, as they show on the disk."""

import os
import threading
import time
from collections.abc import Callable
from uuid import uuid4

from app.records import kept_run
from app.records.inbox import Inbox
from app.records.job import Job
from app.records.job_id import is_job_id
from app.records.output_file import open_output
from tests.support.gateway import PATIENCE

#: When the crash comes: once this is so, and so many seconds later at most.
PHASES = {
    "idle": {"posted": 0.02, "idle": 0.002, "ended": 0.002, "rest": 0.05},
    "busy": {"claim": 0.002, "message": 0.002, "line": 0.06, "said": 0.005, "result": 0.001},
    "asking": {"question": 0.002, "open": 0.06, "answer": 0.002, "answered": 0.002},
}
#: How much of the end of an output is looked at.
_TAIL = 16_384


class PhaseWatch(threading.Thread):
    """Watches a turn on the disk until a phase of it, and calls `crash` then.

    The turn's job has the title `token`, which its first and its last line contain, too.
    """

    def __init__(
        self,
        state: str,
        token: str,
        phase: str,
        jitter: float,
        crash: Callable[[Job], object],
    ) -> None:
        super().__init__(daemon=True)
        self._state = state
        self._token = token
        self._phase = phase
        self._jitter = jitter
        self._crash = crash
        self.error: BaseException | None = None
        #: The job, if the client knows it.
        self.job_id: str | None = None

    def run(self) -> None:
        """Wait for the phase, then for the jitter, and crash."""
        try:
            job = self._wait()
            time.sleep(self._jitter)
            self._crash(job)
        except BaseException as error:
            self.error = error

    def _wait(self) -> Job:
        deadline = time.monotonic() + PATIENCE
        job: Job | None = None
        while time.monotonic() < deadline:
            if job is None or not job.exists():
                job = self._find()
            if self._phase == "posted":
                return job or Job(self._state, str(uuid4()))
            if job is not None and (job.has_ended() or self._is_reached(job)):
                return job
            time.sleep(0.0003)
        raise AssertionError(f"the phase {self._phase} never came")

    def _find(self) -> Job | None:
        if self.job_id is not None:
            return Job(self._state, self.job_id)
        for job_id in filter(is_job_id, os.listdir(f"{self._state}/live")):  # noqa: PTH208
            job = Job(self._state, job_id)
            request = job.request()
            if request is not None and request.title == self._token:
                return job
        return None

    def _is_reached(self, job: Job) -> bool:
        match self._phase:
            case "claim":
                return job.is_claimed()
            case "message":
                return job.span_start() is not None and b"queued" in _tail(job)
            case "line":
                return self._has(job, "begun-")
            case "said":
                return bool(Inbox(job.path).states())
            case "result":
                return self._has(job, "end-") and b'"result"' in self._after(job, "end-")
            case "idle":
                kept = kept_run.read(self._state, job.run.id)
                return self._has(job, "end-") and kept is not None and kept.state == "idle"
            case "question" | "open":
                return bool(Inbox(job.path).questions())
            case "answer":
                questions = Inbox(job.path).questions()
                inbox = Inbox(job.path)
                return any(inbox.answer_to(each.question_id) for each in questions)
            case "answered":
                return b'"answered"' in self._after(job, "begun-")
        return False

    def _has(self, job: Job, word: str) -> bool:
        return f"{word}{self._token}".encode() in _tail(job)

    def _after(self, job: Job, word: str) -> bytes:
        return _tail(job).partition(f"{word}{self._token}".encode())[2]


def _tail(job: Job) -> bytes:
    output = open_output(job.output)
    try:
        return os.pread(output, _TAIL, max(0, os.fstat(output).st_size - _TAIL))
    finally:
        os.close(output)
