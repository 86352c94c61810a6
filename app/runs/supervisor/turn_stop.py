"""The stop of a turn before its own end: because a client wants it, or at a limit.

The CLI is asked to interrupt the turn and to stop its tasks; signals follow if it does not answer.
Standard library alone, because the supervisor imports this.
"""

import time
from collections.abc import Callable

from app.records.job_records import Status
from app.runs.supervisor.job_limits import ReachedLimit
from app.runs.supervisor.job_watch import JobWatch
from app.runs.supervisor.talking_run import TalkingRun


class TurnStop:
    """Stops one turn.

    `on_begin` of the methods is called once, before the CLI is asked. It is not kept here: it would
    keep the turn, and the supervisor has no garbage collector to find that.
    """

    def __init__(self, run: TalkingRun, job: JobWatch) -> None:
        self._run = run
        self._job = job
        self._signals = run.watch.signals
        # When signals follow, by the monotonic clock.
        self._until: float | None = None
        self._cancelled: Status | None = None
        self._reached: ReachedLimit | None = None
        self._was_answered = False
        #: Whether an agent in the background was cut short.
        self.has_cut_agents = False
        #: Whether the run must not serve another job.
        self.spoils_run = False

    @property
    def has_begun(self) -> bool:
        """Whether the turn is being stopped."""
        return self._until is not None

    @property
    def reason(self) -> str | None:
        """The limit that the job has reached, if any."""
        return self._reached.reason if self._reached else None

    @property
    def status(self) -> Status | None:
        """The status that follows from the stop; None if the answer was there before."""
        if self._reached is not None and not self._was_answered:
            return self._reached.status
        return self._cancelled

    def read_wish(self, on_begin: Callable[[], None], *, is_answered: bool) -> None:
        """Stop the turn if a client wants that."""
        job = self._job.job
        if job.is_to_be_cancelled():
            self.spoils_run = True
        elif not job.take_interrupt():
            return
        if not is_answered or self._run.tasks:
            # An answer that is there was not cancelled.
            self._cancelled = "cancelled"
        self._begin(on_begin)

    def act_on_time(
        self, on_begin: Callable[[], None], *, is_answered: bool, is_asking: bool
    ) -> None:
        """Stop the turn at a limit, or send the CLI the next signal if it is due."""
        if self._until is None:
            self._check_limits(on_begin, is_answered, is_asking)
        elif time.monotonic() > self._until and not self._signals.is_started:
            # The CLI did not answer in time.
            self.spoils_run = True
            self._signals.start()
        if self._signals.is_started:
            self._signals.send_due()

    def patience(self) -> float:
        """Seconds until `act_on_time` has something to do."""
        if self._signals.is_started:
            return self._signals.send_due()
        if self._until is not None:
            return max(0.01, self._until - time.monotonic())
        return self._job.patience()

    def _check_limits(
        self, on_begin: Callable[[], None], is_answered: bool, is_asking: bool
    ) -> None:
        self._reached = self._job.reached(is_asking=is_asking)
        if self._reached is None:
            return
        self._was_answered = is_answered
        self.has_cut_agents = self._run.tasks.has_agents
        self.spoils_run = True
        self._begin(on_begin)

    def _begin(self, on_begin: Callable[[], None]) -> None:
        if self._until is not None:
            return
        on_begin()
        self._until = time.monotonic() + self._run.watch.started.start.kill_grace / 4
        self._run.request("interrupt", cancel_queued=True)
        for task_id in self._run.tasks.ids:
            self._run.request("stop_task", task_id=task_id)
