"""A plain job: it has a run to itself, and ends when that run does.

Standard library alone, because the supervisor imports this.
"""

import signal

from app.records.job_records import JobEnd, Status
from app.records.output_file import cut_holes
from app.records.run import RunExit
from app.runs.supervisor.background_tasks import BackgroundWait, look_back
from app.runs.supervisor.job_limits import ReachedLimit
from app.runs.supervisor.job_watch import JobWatch
from app.runs.supervisor.run_watch import RunWatch
from app.runs.verdict import judge, with_full_disk


class PlainJob:
    """Waits for the end of a plain job, and ends it on a cancellation or at a limit."""

    def __init__(self, run: RunWatch, job: JobWatch) -> None:
        self._run = run
        self._job = job
        self._interrupted = False
        self._reached_limit: ReachedLimit | None = None
        self._background = BackgroundWait(job.job.output, job.request.background_wait)
        # Whether the CLI is ended for what it runs in the background.
        self._ends_background = False

    def until_end(self) -> tuple[RunExit, JobEnd]:
        """Return how the CLI and its job ended, once nothing that the CLI started is left."""
        run, job = self._run, self._job
        # A wish from before `running` was written came without a signal.
        self._read_wish()
        while not run.has_exited():
            is_ending = run.signals.is_started
            patience = min(job.patience(), self._background.patience())
            numbers = run.wait(run.signals.send_due() if is_ending else patience)
            if run.has_exited():
                # A cancellation that arrives once the CLI has exited does not change its end.
                break
            self._check_limits()
            if job.look() or signal.SIGTERM in numbers or not job.job.exists():
                # A removed folder means a cancellation.
                self._read_wish()
        run_exit = run.end()
        # The job may have put another file there than the run's.
        cut_holes(job.job.output)
        end = judge(
            job.job,
            run_exit,
            self._known_status(),
            reason=self._reached_limit.reason if self._reached_limit else None,
            request=job.request,
            claim=job.claim,
            exit_is_ours=self._ends_background,
        )
        tasks, results = look_back(job.job.output)
        if end.result_at in results:
            end = end._replace(earlier_results_at=results[: results.index(end.result_at)])
        end = end._replace(background=tasks)
        if end.status == "failed" and end.reason is None and job.disk_is_full():
            # The CLI exits with 1 when it cannot write, and cannot report why.
            end = with_full_disk(end)
        return run_exit, end

    def _known_status(self) -> Status | None:
        if self._reached_limit:
            return self._reached_limit.status
        is_ended = self._run.signals.is_started and not self._ends_background
        return "cancelled" if self._interrupted or is_ended else None

    def _read_wish(self) -> None:
        """Begin to cancel or interrupt the job if a wish asks for it.

        Without a wish, a signal was meant for the previous job of this supervisor.
        """
        job = self._job.job
        if job.is_to_be_cancelled():
            self._ends_background = False
            self._run.signals.start()
        if job.take_interrupt():
            self._interrupted = True
            self._run.signals.interrupt()

    def _check_limits(self) -> None:
        """Begin to end the job if it has reached one of its limits.

        A job whose answer is there has not: commands in the background are all that is left of it.
        """
        if self._run.signals.is_started:
            return
        reached = self._job.reached()
        if reached is not None and reached.status == "timed_out" and self._background.has_answer():
            reached, self._ends_background = None, True
        self._ends_background = self._ends_background or self._background.is_over()
        if reached is not None or self._ends_background:
            self._reached_limit = reached
            self._run.signals.start()
