"""The records of a job: what was asked, how it ended.

Standard library alone, because the supervisor imports this: see `app.records.run`.
"""

from typing import Any, Literal, NamedTuple

from app.processes import Process

Status = Literal["succeeded", "failed", "cancelled", "timed_out", "lost"]
#: Who answers: the CLI, or the model's API without it.
Backend = Literal["cli", "direct"]


class JobRequest(NamedTuple):
    """What a client asked for, in `job.json`.

    `starter` is the worker that created the job, `run` the id of the run that was prepared for it.
    `timeout` and `idle_timeout` are in seconds, `max_output` is in bytes, `prompt_length` in
    characters; None is no limit. `continues` is the session that the job writes to: `session_id`,
    unless it is forked. `title` is the job's name for people. With `ask`, the CLI's questions are
    for the client, each for `ask_timeout` seconds. The run is kept for `keep_alive` seconds after
    the job. Commands in the background may outlive the last result for `background_wait` seconds.
    `spare` means that a spare can serve the job. `answers` is the run that waits for the results of
    tools in the job's message. A run that waits for such results is held for `hold` seconds.
    `new_session` is the id that the client has chosen for the session that the job begins.
    """

    id: str
    cwd: str
    model: str | None
    session_id: str | None
    started_at: str
    user: str
    starter: Process
    prompt_length: int = 0
    detached: bool = False
    timeout: float | None = None
    idle_timeout: float | None = None
    max_output: int | None = None
    continues: str | None = None
    request_id: str | None = None
    title: str | None = None
    run: str | None = None
    ask: bool = False
    ask_timeout: float = 600.0
    keep_alive: float = 0.0
    background_wait: float = 30.0
    spare: bool = False
    answers: str | None = None
    hold: float = 0.0
    new_session: str | None = None
    backend: Backend = "cli"


class JobEnd(NamedTuple):
    """How the job ended, in `ended`.

    `exit_code` to `left` are the run's (`app.records.run.RunExit`). `result` holds the fields of
    the CLI's last `result` line, without its text; `result_at` is that line's offset and length
    in the output, in bytes. `error` is a sentence that says why the job did not succeed, `reason`
    a code for programs, if there is one. The job is the part of the run's
    output from `span_start` to `span_end`, in bytes; None is the end of the file. `background` has
    the tasks in the background: `task_id`, `description`, `status` (completed, running, stopped).
    `talks` is the run's (`app.records.run.RunStart`). `start_retried`: the CLI was started at the
    second attempt or later. `earlier_results_at` has the positions of
    the `result` lines before the last one: what runs in the background wakes the model.
    """

    status: Status
    ended_at: str
    exit_code: int | None = None
    signal: str | None = None
    stop_signal: str | None = None
    killed: int = 0
    session_id: str | None = None
    result: dict[str, Any] | None = None
    result_at: list[int] | None = None
    error: str | None = None
    left: int = 0
    reason: str | None = None
    run: str | None = None
    span_start: int = 0
    span_end: int | None = None
    background: list[Any] = []  # noqa: RUF012 - of a named tuple
    talks: bool = False
    earlier_results_at: list[list[int]] = []  # noqa: RUF012 - of a named tuple
    start_retried: bool = False

    @property
    def never_started(self) -> bool:
        """Whether the CLI could not be started: `error` says why."""
        has_exited = self.exit_code is not None or self.signal is not None
        return self.status == "failed" and not has_exited and self.result_at is None
