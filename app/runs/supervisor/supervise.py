"""The supervisor: a process that serves one job after the other, with the runs that they need.

The launcher forks it and gives it jobs (`app.runs.supervisor.job_loop`). While it has a job it
depends on no other process: it outlives the launcher and the gateway. Between two jobs it may keep
a run, for the next job of the run's session. It imports little, and of the standard library alone,
because each page of memory that it touches after its fork is copied.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from app import processes
from app.cli.spare import Argument
from app.records.claim import Claim
from app.records.job import Job
from app.records.job_records import JobRequest
from app.records.run import Run, RunExit, RunStart
from app.runs.end_processes import end_processes
from app.runs.supervisor.end_run import discard_prepared, end_kept, end_with_job, write_end
from app.runs.supervisor.job_watch import JobWatch
from app.runs.supervisor.kept_session import KeptSession
from app.runs.supervisor.plain_job import PlainJob
from app.runs.supervisor.run_watch import RunWatch
from app.runs.supervisor.spare import NotClaimed, Spare, claim_spare
from app.runs.supervisor.start import StartedRun, start
from app.runs.supervisor.start_again import NoLine, check_lines, clear
from app.runs.supervisor.talking_run import TalkingRun
from app.runs.supervisor.turn import NotBegun, Turn
from app.runs.verdict import judge
from app.state import files
from app.state.remove_tree import remove

#: Seconds for the removal of a spare's folder once its job has ended.
_CLEANUP_PATIENCE = 1.0


class CannotStart(Exception):
    """The CLI could not be started; the message is the answer to the launcher's client."""


class Supervisor:
    """Serves jobs, one at a time.

    `wakeup` is from `watch_signals`. `keep` is called before the end of a job whose run is kept,
    with the session and the bytes of memory; it returns whether the launcher knows that now. The
    calling process is a subreaper without other children. A kept run may begin `own_turns` turns by
    itself.
    """

    def __init__(
        self,
        claude: str,
        environment: Mapping[bytes, bytes],
        wakeup: int,
        keep: Callable[[str, int], bool],
        own_turns: int,
    ) -> None:
        self._claude = claude
        self._environment = environment
        self._wakeup = wakeup
        self._keep = keep
        self._own_turns = own_turns
        #: The run that is kept, if any.
        self.kept: KeptSession | None = None
        #: The spare that waits for a job, if any.
        self.spare: Spare | None = None
        #: Whether nothing of earlier runs is left. What is left ends with this process, or the
        #: launcher removes it then.
        self.is_clean = True

    def serve(self, job: Job, report: Callable[[str], None]) -> None:
        """Serve a job to its end, and write that.

        `report` is called with `started`, with `known` if another process has claimed the job, or
        with `failed` and the error. Only its first call counts.
        """
        try:
            self._serve(job, report)
        except CannotStart as error:
            report(str(error))
            self._go_on_waiting()
        except BaseException:
            # No other process would end them.
            end_processes(lambda: processes.descendants(os.getpid()), time.sleep, 0.0)
            raise

    def start_spare(self, state: str, arguments: list[Argument]) -> None:
        """Start a spare."""
        with suppress(OSError):
            # No process, descriptor or disk space is free: there is no spare then.
            supervisor = processes.this_process()
            self.spare = Spare(
                state, arguments, self._claude, self._environment, supervisor, self._wakeup
            )

    def wait(self, channel: socket.socket, on_ready: Callable[[], object]) -> bool:
        """Wait for a message of the launcher; False if what is kept must end before one.

        `on_ready` is called once a spare can be claimed.
        """
        if self.kept is not None:
            return self.kept.wait(channel)
        return self.spare is None or self.spare.wait(channel, on_ready)

    def end_waiting(self) -> None:
        """End the run that is kept or the spare, if any."""
        kept, self.kept = self.kept, None
        if kept is not None:
            self.is_clean = end_kept(kept) and self.is_clean
        spare, self.spare = self.spare, None
        if spare is not None:
            self.is_clean = spare.end() and self.is_clean

    def _go_on_waiting(self) -> None:
        """Go on with the run that is kept, if the launcher learns of that, after no job."""
        kept = self.kept
        if self.spare or (kept and not self._keep(str(kept.run.session), kept.memory)):
            self.end_waiting()

    def _serve(self, job: Job, report: Callable[[str], None]) -> None:
        request, run_start = job.request(), job.prepared.start()
        if self.kept is not None and (
            request is None or run_start is None or not self.kept.fits(job, request, run_start)
        ):
            self.end_waiting()
        kept, spare = self.kept, self.spare
        claim = _claim(job, kept.run.watch.started.run if kept else spare.run if spare else None)
        # Perhaps no file could be opened for a moment.
        request, run_start = request or job.request(), run_start or job.prepared.start()
        if request is None or run_start is None:
            why = "cannot start the job: it has no record"
            job.write_end(judge(job, RunExit(), "failed", error=why))
            raise CannotStart(f"failed {why}")
        self.kept = self.spare = None
        if kept is not None:
            watch = JobWatch(job, request, claim, kept.run.watch.started)
            kept.prepare(request, run_start)
            try:
                self._serve_turn(kept, watch, report)
            except NotBegun:
                self.is_clean = end_kept(kept) and self.is_clean
                claim = job.move_to(job.prepared, claim)
            else:
                return
        elif spare is not None:
            report("started")
            try:
                message = claim_spare(spare, job, run_start)
            except (NotClaimed, OSError):
                self.is_clean = spare.end() and self.is_clean
                claim = job.move_to(job.prepared, claim)
            else:
                watch = JobWatch(job, request, claim, spare.watch.started)
                self._serve_plain(spare.watch, watch, message)
                # The job has its own links to output and standard error.
                remove(spare.run.path, _CLEANUP_PATIENCE)
                return
        self._serve_prepared(job, request, claim, run_start, report)

    def _serve_prepared(
        self,
        job: Job,
        request: JobRequest,
        claim: Claim,
        run_start: RunStart,
        report: Callable[[str], None],
    ) -> None:
        """Serve a claimed job with the run that was prepared for it. Raises CannotStart."""
        begun_at = time.monotonic()
        for left in range(run_start.start_retries, -1, -1):
            started, message = self._start(job, claim, run_start)
            if left < run_start.start_retries:
                started = started._replace(retried=True)
            run = RunWatch(started, self._wakeup)
            watch = JobWatch(job, request, claim, started, begun_at)
            may_retry = left > 0
            try:
                if run_start.talks:
                    os.close(message)
                    kept = KeptSession(TalkingRun(run), request, self._own_turns)
                    self._serve_turn(kept, watch, report, may_retry)
                else:
                    # Reported first, because a client waits for it.
                    report("started")
                    self._serve_plain(run, watch, message, may_retry)
                return
            except NoLine:
                self.is_clean = clear(run) and self.is_clean

    def _serve_plain(
        self, run: RunWatch, job: JobWatch, message: int, may_retry: bool = False
    ) -> None:
        """Serve a job that has its run to itself. Raises NoLine if it `may_retry`."""
        started = run.started
        started.stdin.send(message)
        started.stdin.finish()
        self._note_running(started)
        run_exit, end = PlainJob(run, job).until_end()
        if may_retry and end.status == "failed" and end.reason is None:
            check_lines(run, job.job)
        self.is_clean = end_with_job(run, run_exit, job, end) and self.is_clean

    def _serve_turn(
        self,
        kept: KeptSession,
        job: JobWatch,
        report: Callable[[str], None],
        may_retry: bool = False,
    ) -> None:
        """Serve a job with a run that talks.

        Raises NotBegun if the CLI does not take it, and NoLine if it `may_retry`.
        """
        run = kept.run
        turn = Turn(run, job, kept.tools, kept.held, may_retry)
        kept.note_busy()
        try:
            if job.job.prepared.id != run.id:
                job.job.show(run.watch.started.run)
            kept.offer_tools()
            turn.begin()
        except OSError as error:
            # Any later error must not have another process serve the job once more.
            raise NotBegun from error
        report("started")
        self._note_running(run.watch.started)
        try:
            turn.until_over()
        except NoLine:
            kept.close()
            raise
        kept.note_cost_before(turn.cost_before)
        if not turn.spoils_run and self._keeps(kept, job, turn.held):
            if job.job.prepared.id != run.id:
                discard_prepared(job.job)
            write_end(job.job, turn.judge(None), run.watch.started, job.request)
            self.kept = kept
            return
        run.end()
        run_exit = run.watch.end()
        end = turn.judge(run_exit)
        kept.close()
        self.is_clean = end_with_job(run.watch, run_exit, job, end) and self.is_clean

    def _keeps(self, kept: KeptSession, job: JobWatch, held: str | None) -> bool:
        """Keep a run after its job, if the job asks for that and the launcher knows of it.

        `held` is the message whose turn goes on with the results of the client's tools, if any.
        """
        run, seconds = kept.run, job.request.keep_alive
        if run.watch.has_exited():
            return False
        if held is not None:
            return kept.note_held(held, job.request.hold) and self._keep(run.id, kept.memory)
        if not seconds or run.session is None:
            return False
        return kept.note_idle(seconds) and self._keep(run.session, kept.memory)

    def _start(self, job: Job, claim: Claim, run_start: RunStart) -> tuple[StartedRun, int]:
        """Start the run that was prepared for a claimed job; returns its open message, too.

        Raises CannotStart.
        """
        message = None
        try:
            message = files.open_file(job.message)
            started = start(
                job.prepared,
                run_start,
                self._claude,
                self._environment,
                claim.process,
                job.is_to_be_cancelled,
            )
        except OSError as error:
            if message is not None:
                os.close(message)
            why = f"cannot start {self._claude} in {run_start.cwd}: {error.strerror}"
            job.write_end(judge(job, RunExit(), "failed", error=why))
            raise CannotStart(f"failed {why}") from None
        return started, message

    def _note_running(self, started: StartedRun) -> None:
        with suppress(OSError):
            # If this fails, `JobWatch` writes it later. The claim names the supervisor, too.
            started.run.set_running(started.running)


def _claim(job: Job, run: Run | None) -> Claim:
    try:
        return job.claim("supervisor", run)
    except FileExistsError:
        raise CannotStart("known") from None
    except OSError as error:
        raise CannotStart(f"failed cannot claim the job: {error.strerror}") from None
