"""Jobs whose supervisors have died, which children of the launcher close.

Standard library alone, because the launcher imports this.
"""

from functools import partial

from app.records.job import Job
from app.runs.close_lost import close_lost
from app.runs.launcher.children import Children


class LostJobs:
    """Closes such jobs, each in a child, because that takes seconds."""

    def __init__(self, children: Children) -> None:
        self._children = children
        #: The job that each child closes, by the child's pid.
        self._closing: dict[int, Job] = {}
        #: Jobs that could not be closed yet.
        self._unclosed: list[Job] = []

    @property
    def must_retry(self) -> bool:
        """Whether there are jobs that could not be closed, which no event announces."""
        return bool(self._unclosed)

    def close(self, job: Job) -> None:
        """Have a child close a job; nothing happens if it has ended.

        Its slot and its session become free only when none of its processes is left.
        """
        try:
            self._closing[self._children.fork(partial(close_lost, job))] = job
        except OSError:
            # The fork failed.
            self._unclosed.append(job)

    def retry(self) -> None:
        """Try again to close what could not be closed."""
        unclosed, self._unclosed = self._unclosed, []
        for job in unclosed:
            self.close(job)

    def on_child_exit(self, pid: int) -> Job | None:
        """Note that a child of the launcher has exited; returns the job that it has closed."""
        job = self._closing.pop(pid, None)
        if job is None or job.has_ended() or not job.exists():
            return job
        # Another process closes it, or the disk is full.
        self._unclosed.append(job)
        return None
