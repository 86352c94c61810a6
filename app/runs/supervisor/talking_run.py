"""A run whose CLI exchanges messages with its supervisor.

A CLI whose standard input stays open serves one turn after the other, answers control requests, and
asks. Of its lines, those about turns belong to the job that it serves
(`app.runs.supervisor.turn`); this follows the rest. Standard library alone, because the supervisor
imports this.
"""

import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

from app.cli import control
from app.cli.result_line import killed_agents
from app.runs.supervisor.background_tasks import TASK_LINES, BackgroundTasks
from app.runs.supervisor.growth import Growth
from app.runs.supervisor.output_scanner import Line, OutputScanner
from app.runs.supervisor.run_watch import RunWatch
from app.state import files

#: Seconds that an idle CLI has to exit after `end_session`, before it gets a signal.
END_PATIENCE = 2.0


class TalkingRun:
    """The conversation with the CLI of one run."""

    def __init__(self, watch: RunWatch) -> None:
        self.watch = watch
        self.id = watch.started.run.id
        self._stdin = watch.started.stdin
        self._output = files.open_file(watch.started.run.output)
        self._scanner = OutputScanner(self._output)
        self._growth = Growth(watch.started.run.path)
        self._numbers = itertools.count(1)
        #: `starting`, then as the CLI reports it: `running`, `requires_action` or `idle`.
        self.state = "starting"
        self.session: str | None = None
        self.permission_mode: str | None = None
        #: Whether a client has allowed something for the whole run.
        self.has_rules = False
        #: What the whole run has cost so far, in US dollars.
        self.cost = 0.0
        #: How many agents in the background were cut short so far.
        self.killed_agents = 0
        self.tasks = BackgroundTasks()
        #: Where the last line that was read ends in the output.
        self.position = 0
        #: Our requests that the CLI has not answered yet, with the time of each.
        self.unanswered: dict[str, float] = {}

    @property
    def patience(self) -> float:
        """Seconds after which to look at the output without a notice."""
        return self._growth.patience

    def new_lines(self) -> Iterator[Line]:
        """The lines since the last call that a supervisor acts upon."""
        self._growth.arm()
        for line in self._scanner.new_lines():
            self._note(line.fields)
            self.position = line.end
            yield line

    def request(self, subtype: str, **fields: Any) -> str:
        """Send the CLI a control request; returns its id."""
        request_id = f"{self.id}.{next(self._numbers)}"
        self.unanswered[request_id] = time.monotonic()
        self.say(control.request(request_id, subtype, **fields))
        return request_id

    def say(self, *sources: bytes | int) -> None:
        """Write whole lines to the CLI's standard input: bytes, or the rest of an open file."""
        self._stdin.send(*sources)

    def end(self) -> None:
        """Ask an idle CLI to exit, and wait for that; signals follow if it does not."""
        if self._stdin.is_open:
            self.request("end_session")
            self._stdin.finish()
        self.watch.await_exit(END_PATIENCE)

    def size(self) -> int:
        """Bytes of the output."""
        return os.fstat(self._output).st_size

    def close(self) -> None:
        """Close the files of this; those of the watch stay open."""
        self._growth.close()
        os.close(self._output)

    def _note(self, fields: dict[str, Any]) -> None:
        """Follow what a line says about the run."""
        kind, subtype = fields.get("type"), fields.get("subtype")
        if kind == "control_response":
            answered = control.answered(fields)
            if answered is not None:
                self.unanswered.pop(answered[0], None)
        elif kind == "result":
            self._note_result(fields)
        elif kind == "system" and subtype == "session_state_changed":
            self.state = str(fields.get("state"))
        elif kind == "system" and subtype == "init":
            self.permission_mode = fields.get("permissionMode")
        elif kind == "system" and subtype in TASK_LINES:
            self.tasks.note(fields)
        if kind in ("system", "result") and isinstance(fields.get("session_id"), str):
            self.session = fields["session_id"]

    def _note_result(self, fields: dict[str, Any]) -> None:
        self.killed_agents = killed_agents(fields)
        self.note_cost(fields.get("total_cost_usd"))

    def note_cost(self, cost: object) -> None:
        """Note what the whole process has cost so far, as the CLI reports it."""
        if isinstance(cost, int | float) and not isinstance(cost, bool):
            self.cost = max(self.cost, float(cost))
