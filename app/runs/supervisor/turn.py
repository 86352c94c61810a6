"""A turn: one job of a run that talks, from its message to its end.

The CLI begins turns on its own, too, so a `result` ends the job only if it names the job's message,
and only once the CLI reports that it is idle: agents in the background wake the model, and these
turns belong to the job. Standard library alone, because the supervisor imports this.
"""

import signal
import time
from contextlib import suppress
from typing import Any

from app.records.inbox import SETTLED
from app.records.job_records import JobEnd, Status
from app.records.output_file import cut_holes
from app.records.run import RunExit
from app.runs.supervisor.background_tasks import TASK_LINES
from app.runs.supervisor.client_tools import ClientTools, results_in
from app.runs.supervisor.inbox_reader import InboxReader
from app.runs.supervisor.job_watch import JobWatch
from app.runs.supervisor.open_questions import OpenQuestions
from app.runs.supervisor.output_scanner import Line
from app.runs.supervisor.start_again import check_lines
from app.runs.supervisor.talking_run import TalkingRun
from app.runs.supervisor.turn_message import TurnMessage
from app.runs.supervisor.turn_stop import TurnStop
from app.runs.verdict import TurnOutcome, judge, judge_calls, judge_turn, with_full_disk

#: Seconds that a kept run has to begin a job's turn. If it is ended, so are the tasks in its
#: background: a busy machine may not schedule it for some seconds.
BEGIN_PATIENCE = 8.0
#: Seconds that a turn goes on after its result, if the CLI does not report its state.
IDLE_PATIENCE = 5.0
#: Seconds that the CLI has to begin the turn to which a task in the background wakes it.
WAKE_PATIENCE = 1.0


class NotBegun(Exception):
    """The CLI did not begin the turn in time, and has exited: the job can be served by another."""


class Turn:
    """The job that a talking run serves now."""

    def __init__(
        self,
        run: TalkingRun,
        job: JobWatch,
        tools: ClientTools | None = None,
        held: str | None = None,
        may_retry: bool = False,
    ) -> None:
        self._run = run
        self._job = job
        self._tools = tools
        self._message = TurnMessage(run, job.job, held)
        self._span_start = job.job.span_start()
        #: What the run had cost before the job, in US dollars.
        self.cost_before = run.cost
        self._questions = OpenQuestions(run, job)
        self._inbox = InboxReader(run, job.job, self._questions)
        self._result: dict[str, Any] | None = None
        self._result_at = 0.0
        self._results_at: list[list[int]] = []
        self._is_idle = False
        self._has_started = self._is_withdrawn = self._has_lost_message = False
        # When a task in the background ended, which wakes the model.
        self._woken_at = 0.0
        self._killed_before = run.killed_agents
        self._begin_until = time.monotonic() + BEGIN_PATIENCE
        self._stop = TurnStop(run, job)
        # Whether another CLI may serve the job if this one ends without a line.
        self._may_retry = may_retry

    @property
    def held(self) -> str | None:
        """The id of the message whose turn goes on once the client has answered calls, if any."""
        waits = self._tools is not None and self._tools.wait_for_client and self._result is None
        return self._message.id if waits and self._stop.status is None else None

    @property
    def spoils_run(self) -> bool:
        """Whether the run must not serve another job."""
        return self._stop.spoils_run or self._inbox.spoils_run

    def begin(self) -> None:
        """Begin to send the job's message to the CLI. Raises OSError."""
        if not self._message.is_held or self._tools is None:
            self._message.begin()
            return
        self._tools.answer(results_in(self._job.job.message))
        self._has_started = True
        self._begin_span(self._run.position)
        self._inbox.open()

    def until_over(self) -> None:
        """Return when the turn is over, or when the CLI has exited. Raises NotBegun and NoLine."""
        run, job = self._run, self._job
        self._stop.read_wish(self._take_nothing_more, is_answered=self._result is not None)
        while not run.watch.has_exited():
            for line in run.new_lines():
                self._on_line(line)
            if self._is_over() and self._close_inbox():
                return
            if self._span_start is None and self._is_late():
                run.end()
                break
            self._questions.expire()
            self._stop.act_on_time(
                self._take_nothing_more,
                is_answered=self._result is not None,
                is_asking=self._questions.are_open,
            )
            numbers = run.watch.wait(self._patience())
            if run.watch.has_exited():
                break
            if job.look() or signal.SIGTERM in numbers or not job.job.exists():
                self._inbox.read()
                self._stop.read_wish(self._take_nothing_more, is_answered=self._result is not None)
        # What it printed last.
        for line in run.new_lines():
            self._on_line(line)
        if self._span_start is None and not self._stop.has_begun:
            raise NotBegun
        if self._may_retry and not self._stop.has_begun:
            check_lines(run.watch, job.job)
        self._begin_span(run.position)
        self._message.withdraw()
        self._inbox.stop()
        self._has_lost_message = self._inbox.discard_rest() and not self._stop.has_begun

    def _is_late(self) -> bool:
        """Whether the CLI should have begun the turn by now; a long message takes time to read."""
        if self._run.watch.started.stdin.blocked is not None:
            self._begin_until = time.monotonic() + BEGIN_PATIENCE
        return time.monotonic() > self._begin_until

    def judge(self, run_exit: RunExit | None) -> JobEnd:
        """How the job ended; `run_exit` is None if the run goes on."""
        self._questions.close_all("cancelled")
        # The job may have put another file there than the run's.
        cut_holes(self._job.job.output)
        return self._judge(run_exit)._replace(talks=True)

    def _judge(self, run_exit: RunExit | None) -> JobEnd:
        job = self._job
        known = self._stop.status
        reason = self._stop.reason
        if self.held is not None:
            return judge_calls(self._outcome(None), request=job.request, claim=job.claim)
        if self._result is None:
            return self._judge_without_result(run_exit, known, reason)
        return judge_turn(
            job.job,
            run_exit or RunExit(),
            known,
            self._outcome(run_exit),
            reason=reason,
            request=job.request,
            claim=job.claim,
        )

    def _outcome(self, run_exit: RunExit | None) -> TurnOutcome:
        return TurnOutcome(
            self._span_start or 0,
            self._run.position if run_exit is None else self._run.size(),
            self._run.session,
            self._run.cost - self.cost_before,
            self._stop.has_cut_agents
            or self._run.tasks.has_agents
            or self._run.killed_agents > self._killed_before,
            self._run.tasks.take_report(are_ended=run_exit is not None),
            self._results_at,
            self._has_lost_message,
        )

    def _judge_without_result(
        self, run_exit: RunExit | None, known: Status | None, reason: str | None
    ) -> JobEnd:
        job = self._job
        end = judge(
            job.job,
            run_exit or RunExit(),
            known or ("failed" if run_exit is None or self._message.has_history else None),
            reason=reason,
            request=job.request,
            claim=job.claim,
        )
        if end.status == "failed" and end.reason is None and job.disk_is_full():
            end = with_full_disk(end)
        return end

    def _on_line(self, line: Line) -> None:
        fields = line.fields
        kind = fields.get("type")
        if self._tools is not None and self._tools.on_line(fields):
            return
        if kind == "command_lifecycle":
            self._on_lifecycle(fields, line.start)
        elif kind == "result":
            if self._message.id in _list(fields.get("user_message_uuids")):
                self._result, self._result_at = fields, time.monotonic()
            self._is_idle = False
            if self._result is not None:
                self._results_at.append([line.start, line.end - line.start - 1])
        elif kind == "control_request":
            self._questions.on_request(fields)
        elif kind == "control_cancel_request":
            self._questions.withdraw(str(fields.get("request_id")))
        elif fields.get("subtype") == "session_state_changed":
            self._is_idle = fields.get("state") == "idle"
            if self._is_idle:
                self._woken_at = 0.0
        elif fields.get("subtype") in TASK_LINES:
            self._woken_at = time.monotonic()

    def _on_lifecycle(self, fields: dict[str, Any], start: int) -> None:
        message_id, state = str(fields.get("command_uuid")), str(fields.get("state"))
        if self._message.on_lifecycle(message_id, state):
            self._begin_until = time.monotonic() + BEGIN_PATIENCE
        elif message_id != self._message.id:
            self._inbox.on_lifecycle(message_id, state)
        elif state == "started":
            self._has_started = True
            self._begin_span(start)
            if not self._stop.has_begun:
                self._inbox.open()
        elif state in SETTLED and not self._has_started:
            # It was interrupted before its turn, which will not come.
            self._begin_span(start)
            self._is_withdrawn = True

    def _begin_span(self, start: int) -> None:
        """Say where the job begins in the output, if that is not known yet."""
        if self._span_start is not None:
            return
        self._span_start = start
        # What came before are turns of the CLI's own, which belong to no job.
        self.cost_before = self._run.cost
        self._killed_before = self._run.killed_agents
        with suppress(OSError):
            self._job.job.begin(start)
            self._job.job.wake_readers()

    def _close_inbox(self) -> bool:
        """Take nothing more; returns False if something came in at the last moment."""
        if not self._stop.has_begun:
            return self._inbox.close()
        self._inbox.discard_rest()
        return True

    def _is_over(self) -> bool:
        """Whether the job's result is there, and nothing that belongs to the job goes on."""
        if self._is_withdrawn:
            return self._is_idle
        if self._tools is not None and self._tools.wait_for_client and not self._stop.has_begun:
            return self._tools.cost_is_known
        if self._result is None or (self._inbox.is_waiting and not self._stop.has_begun):
            return False
        if self._is_idle:
            return self._stop.has_begun or not self._waits_for_background()
        is_silent = self._run.state == "starting"
        return is_silent and time.monotonic() > self._result_at + IDLE_PATIENCE

    def _waits_for_background(self) -> bool:
        """Whether the job waits for commands in the background, or for what the model says then."""
        moment, patience = time.monotonic(), self._job.request.background_wait
        if not patience:
            return False
        if self._run.tasks:
            return moment < self._result_at + patience
        return moment < self._woken_at + WAKE_PATIENCE

    def _take_nothing_more(self) -> None:
        """The turn is being stopped."""
        self._inbox.stop()
        if self._message.is_pending:
            # It will have no turn.
            self._message.withdraw()
            self._begin_span(self._run.position)
            self._is_withdrawn = self._stop.spoils_run = True

    def _patience(self) -> float:
        seconds = min(self._stop.patience(), self._run.patience, self._questions.patience())
        if self._result is not None:
            # What `_waits_for_background` compares with the clock.
            seconds = min(seconds, WAKE_PATIENCE / 4)
        return seconds


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
