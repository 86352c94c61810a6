"""A session that is kept between jobs: the run that has it stays, for the session's next job.

Standard library alone, because the supervisor imports this.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from app import processes
from app.cli.cost import cost_in, tokens_in
from app.records import kept_run, usage_line
from app.records.job import Job
from app.records.job_records import JobRequest
from app.records.kept_run import KeptRun
from app.records.run import RunStart
from app.runs.supervisor.client_tools import client_tools_of, results_in
from app.runs.supervisor.fit import fits, model_of
from app.runs.supervisor.open_questions import refuse
from app.runs.supervisor.talking_run import TalkingRun
from app.timestamps import now

#: Jobs after which a run is not kept: it grows by 0.5 MB with each.
MOST_JOBS = 100
#: Bytes of memory with which a run is not kept.
MOST_MEMORY = 300 << 20
#: Seconds between two looks at what no event announces.
_LOOK_INTERVAL = 1.0


class KeptSession:
    """A run that talks, with what must be known of it to serve another job."""

    def __init__(self, run: TalkingRun, request: JobRequest, most_own_turns: int) -> None:
        self.run = run
        self._state = os.path.dirname(os.path.dirname(run.watch.started.run.path))
        self._user = request.user
        self._cwd = request.cwd
        self._model = request.model
        self._mode: str | None = None
        self._jobs = 0
        self._most_own_turns = most_own_turns
        self._own_turns = 0
        self._own_cost = 0.0
        self._cost_at_idle = 0.0
        # What the run has cost that is in the ledger of usage, or in a job's end.
        self._cost_counted = 0.0
        self._until = 0.0
        self._idle_since: str | None = None
        #: The client's tools, if the run was started with some.
        self.tools = client_tools_of(run)
        #: The id of the message whose turn waits for results of the client's tools, if one does.
        self.held: str | None = None
        #: Bytes of memory of the CLI at its last look.
        self.memory = 0

    def fits(self, job: Job, request: JobRequest, run_start: RunStart) -> bool:
        """Whether the run may serve this job: same user, same session, the same start."""
        started = self.run.watch.started
        if (self.held is not None) != (request.answers is not None):
            return False
        if self.tools is not None and self.held is not None:
            if request.answers != self.run.id:
                return False
            try:
                if set(results_in(job.message)) != self.tools.open_calls():
                    return False
            except OSError:
                return False
        elif request.continues != self.run.session:
            return False
        return (
            request.user == self._user
            and run_start.talks
            # Without questions, what was allowed would be allowed to a job that was not asked.
            and (request.ask or not self.run.has_rules)
            and not self.run.watch.has_exited()
            and fits(started.run, started.start, job.prepared, run_start)
            and (request.model == self._model or model_of(run_start) is not None)
        )

    def prepare(self, request: JobRequest, run_start: RunStart) -> None:
        """Set anew what may differ from the job before."""
        model = model_of(run_start)
        if request.model != self._model and model is not None:
            # `set_model` would ask the model's API first.
            self.run.request("apply_flag_settings", settings={"model": model})
            self._model = request.model

    def offer_tools(self) -> None:
        """Offer the client's tools to the CLI, before its first message."""
        if self.tools is not None and self._jobs == 1:
            self.tools.offer()

    def note_busy(self) -> None:
        """A job begins."""
        self._jobs += 1
        self.held = None
        if self._jobs > 1:
            self._write("busy", None)

    def note_held(self, message_id: str, seconds: float) -> bool:
        """A job has ended with calls of the client's tools, whose results another may bring.

        Returns whether the run may be kept for so many seconds.
        """
        self.held = message_id
        return seconds > 0 and self.note_idle(seconds)

    def note_idle(self, seconds: float) -> bool:
        """A job has ended; returns whether the run may be kept for so many seconds."""
        run = self.run
        mode, self._mode = self._mode, self._mode or run.permission_mode
        self.memory = processes.memory_of(run.watch.started.cli)
        if (
            self._jobs >= MOST_JOBS
            or self.memory > MOST_MEMORY
            or (mode and mode != run.permission_mode)
        ):
            # It is worn, or a plan that was allowed has changed the mode.
            return False
        self._until = time.monotonic() + seconds
        self._own_turns, self._own_cost, self._cost_at_idle = 0, 0.0, run.cost
        self._cost_counted = run.cost
        self._idle_since = now()
        return self._write(self._state_without_job, self._idle_since)

    @property
    def _state_without_job(self) -> str:
        return "idle" if self.held is None else "held"

    def wait(self, channel: socket.socket) -> bool:
        """Wait for a message on the launcher's channel; False if the run must end before one."""
        run = self.run
        while True:
            for line in run.new_lines():
                self._on_line(line.fields)
            left = self._until - time.monotonic()
            if run.watch.has_exited() or left <= 0 or self._own_turns > self._most_own_turns:
                return False
            record = run.watch.started.run
            if not record.exists() or record.is_to_close():
                return False
            numbers = run.watch.wait(min(left, _LOOK_INTERVAL, run.patience), channel.fileno())
            if -1 in numbers:
                return True

    def close(self) -> None:
        """Close the run's files, once it has ended."""
        kept_run.remove(self._state, self.run.id)
        self.run.close()

    def _on_line(self, fields: dict[str, object]) -> None:
        kind = fields.get("type")
        if self.tools is not None and self.tools.on_line(fields):
            return
        if kind == "control_request":
            # No job is there that could ask its client.
            refuse(self.run, fields)
        elif kind == "result":
            self._own_turns += 1
            self._own_cost = self.run.cost - self._cost_at_idle
            self._write(self._state_without_job, self._idle_since)
            self._count_own_turn(self.run.cost, fields)

    def note_cost_before(self, cost: float) -> None:
        """Note what the run had cost before a job's turn: one of its own may have come first."""
        if cost > self._cost_counted:
            self._count_own_turn(cost, {})

    def _count_own_turn(self, cost: float, result: Mapping[str, object]) -> None:
        """Add a turn without a job to the ledger of usage; with it, the run has cost so much."""
        own_cost, self._cost_counted = cost - self._cost_counted, cost
        tokens = tokens_in(result)
        line = usage_line.UsageLine(
            id=f"{self.run.id}.{self.run.position}",
            ended_at=now(),
            user=self._user,
            model=self._model or "",
            status=usage_line.OWN,
            cost=round(cost_in({"total_cost_usd": own_cost}) * 1e9),
            input=tokens["input"],
            output=tokens["output"],
            cache_read=tokens["cache_read"],
            cache_creation=tokens["cache_creation"],
        )
        with suppress(OSError):
            # If the disk is full, the worker logs that usage is not recorded.
            usage_line.append(self._state, line)

    def _write(self, state: str, since: str | None) -> bool:
        record = KeptRun(
            id=self.run.id,
            supervisor=self.run.watch.started.running.supervisor,
            state=state,
            session=str(self.run.session),
            cwd=self._cwd,
            model=self._model,
            user=self._user,
            jobs=self._jobs,
            idle_since=since,
            memory=self.memory,
            own_turns=self._own_turns,
            own_cost=self._own_cost,
        )
        try:
            kept_run.write(self._state, record)
        except OSError:
            # The disk is full, or a job has removed the folder.
            return False
        return True
