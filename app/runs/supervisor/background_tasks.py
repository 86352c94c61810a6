"""The tasks that a CLI runs in the background: commands and agents, as its lines report them.

Lines as in the CLI's version 2.1.330; 2.1.197 ends such commands by itself. Standard library alone,
because the supervisor imports this.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from app.cli.lines import last_result, parse
from app.runs.supervisor.output_scanner import OutputScanner
from app.state import files

#: The subtypes of the lines that report on tasks.
TASK_LINES = ("background_tasks_changed", "task_started", "task_updated", "task_notification")
#: Bytes at the end of an output in which a plain job's result and tasks are looked for.
SEARCHED = 4 << 20
# The most seconds between two looks at a plain job's output.
_LOOK_INTERVAL = 5.0
_COMMAND = "local_bash"
_OVER = {"completed": "completed", "failed": "completed", "stopped": "stopped", "killed": "stopped"}
_LONGEST_DESCRIPTION = 200


class BackgroundTasks:
    """The tasks in the background of one run."""

    def __init__(self) -> None:
        self._running: dict[str, dict[str, Any]] = {}
        self._seen: dict[str, dict[str, str]] = {}

    def __bool__(self) -> bool:
        return bool(self._running)

    @property
    def ids(self) -> list[str]:
        """The ids of the tasks that run."""
        return list(self._running)

    @property
    def has_agents(self) -> bool:
        """Whether an agent is among the tasks that run."""
        return any(row.get("task_type") != _COMMAND for row in self._running.values())

    def note(self, fields: Mapping[str, Any]) -> None:
        """Follow a line of one of the `TASK_LINES`."""
        if fields.get("subtype") == "background_tasks_changed":
            listed = fields.get("tasks")
            rows = (
                [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
            )
            self._running = {str(row.get("task_id")): row for row in rows}
            for task_id, row in self._running.items():
                self._set(task_id, "running", str(row.get("description") or ""))
            return
        patch = fields.get("patch")
        status = fields.get("status") or (patch.get("status") if isinstance(patch, dict) else None)
        task_id = str(fields.get("task_id"))
        if status in _OVER and task_id in self._seen:
            self._running.pop(task_id, None)
            self._set(task_id, _OVER[status])

    def take_report(self, are_ended: bool) -> list[dict[str, str]]:
        """What became of the tasks since the last report; `are_ended` means that none runs now."""
        if are_ended:
            for task_id in self._running:
                self._set(task_id, "stopped")
        report = list(self._seen.values())
        self._seen = {key: dict(row) for key, row in self._seen.items() if key in self._running}
        return report

    def _set(self, task_id: str, status: str, description: str = "") -> None:
        row = self._seen.setdefault(task_id, {"task_id": task_id, "description": description})
        row["description"] = (row["description"] or description)[:_LONGEST_DESCRIPTION]
        row["status"] = status


class BackgroundWait:
    """The wait of a plain job for commands in the background, after its last result.

    The CLI does not exit before they end. `patience` is in seconds.
    """

    def __init__(self, output: str, patience: float) -> None:
        self._output = output
        self._patience = patience
        self._size = -1
        self._quiet_since = time.monotonic()
        self._has_answer = False

    def patience(self) -> float:
        """Seconds until the output must be looked at again."""
        return max(0.1, min(_LOOK_INTERVAL, self._patience / 4))

    def is_over(self) -> bool:
        """Whether the job has its result, and the commands have had their time."""
        with suppress(OSError):
            size, moment = os.lstat(self._output).st_size, time.monotonic()
            if size != self._size:
                self._size, self._quiet_since, self._has_answer = size, moment, False
            elif not self._has_answer:
                self._has_answer = self.has_answer()
            return self._has_answer and moment >= self._quiet_since + self._patience
        return False

    def has_answer(self) -> bool:
        """Whether nothing but tasks in the background can follow what the CLI has printed."""
        try:
            output = files.open_file(self._output)
        except OSError:
            return False
        try:
            size = os.fstat(output).st_size
            result = last_result(output, max(0, size - SEARCHED))
            if result is None:
                return False
            end = result.offset + result.length
            return all(
                parse(line).get("subtype") in TASK_LINES
                for line in os.pread(output, size - end, end).split(b"\n")
                if line
            )
        finally:
            os.close(output)


def look_back(output: str) -> tuple[list[dict[str, str]], list[list[int]]]:
    """What the end of an output says of the tasks of a run that has exited, and of its results.

    The results are the positions and lengths of the `result` lines.
    """
    tasks, results = BackgroundTasks(), []
    try:
        descriptor = files.open_file(output)
    except OSError:
        return [], []
    try:
        start = max(0, os.fstat(descriptor).st_size - SEARCHED)
        for line in OutputScanner(descriptor, start).new_lines():
            if line.fields.get("subtype") in TASK_LINES:
                tasks.note(line.fields)
            elif line.fields.get("type") == "result":
                results.append([line.start, line.end - line.start - 1])
    finally:
        os.close(descriptor)
    return tasks.take_report(are_ended=True), results
