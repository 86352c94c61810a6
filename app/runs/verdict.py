"""The verdict on a job's end: its status, reason, error.

Standard library alone, because the supervisor imports this.
"""

import os
from typing import NamedTuple

from app import processes
from app.cli.lines import Result, last_result, read_session, stopped_by_hook
from app.cli.result_line import BACKGROUND_STOPPED, Outcome, outcome_of, sentence
from app.records import wish
from app.records.claim import Claim
from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest, Status
from app.records.output_file import open_output
from app.records.run import RunExit
from app.timestamps import now

_RESULT_FIELDS = (
    "subtype",
    "is_error",
    "duration_ms",
    "duration_api_ms",
    "num_turns",
    "total_cost_usd",
    "usage",
    "stop_reason",
)
# The errors for limits that the gateway enforces, by their reason.
_LIMIT_ERRORS = {
    "timeout": "The job took longer than its time limit (timeout)",
    "idle_timeout": "The CLI was silent for longer than the limit (idle_timeout)",
    "output_limit": "The CLI's output exceeded the limit (MAX_JOB_OUTPUT)",
    "disk_full": "The disk of STATE_DIR is full",
}
# The errors for ends that the gateway decides, by the job's status.
_STATUS_ERRORS = {
    "cancelled": "The job was cancelled",
    "lost": "The process that supervised the job was killed",
}
_MESSAGE_LOST = "The CLI exited before it had carried out a message that was sent to the job"
_NO_REASON = "The CLI's result reports an error without a message"
#: The reasons of jobs whose answer has ended before the model was done (Messages API, 2023-06-01).
STOP_REASONS = ("max_tokens", "model_context_window_exceeded", "refusal", "stop_sequence")
#: The reason of a job that has ended because the client has to carry out tools.
CLIENT_TOOLS = "client_tools"
# How many bytes at the end of standard error are searched for the CLI's error.
_STDERR_READ = 4096


class _Output(NamedTuple):
    """The last result in a job's output, its outcome, the session, and the output's size."""

    result: Result | None
    outcome: Outcome
    session: object
    size: int


def exit_of(
    wait_status: int | None, stop_signal: str | None = None, killed: int = 0, left: int = 0
) -> RunExit:
    """The exit of a run whose CLI ended with this status (waitpid(2))."""
    exit_code = signal_name = None
    if wait_status is not None and os.WIFSIGNALED(wait_status):
        signal_name = processes.signal_name(os.WTERMSIG(wait_status))
    elif wait_status is not None:
        exit_code = os.waitstatus_to_exitcode(wait_status)
    return RunExit(exit_code, signal_name, stop_signal, killed, left)


def judge(
    job: Job,
    run_exit: RunExit,
    known_status: Status | None,
    *,
    error: str | None = None,
    reason: str | None = None,
    request: JobRequest | None = None,
    claim: Claim | None = None,
    exit_is_ours: bool = False,
) -> JobEnd:
    """The record of a job's end, as of now; the CLI's output must be complete.

    `known_status` is the status that the gateway knows itself, such as `cancelled`. Without one, a
    job has succeeded if the CLI exited with 0 and its last `result` line reports success: the CLI
    has been seen to exit with 0 without a result. `reason` is the limit that the job has reached.
    With `exit_is_ours`, the CLI was ended after its result, so only that counts. `request` and
    `claim` are read from the job unless they are given.
    """
    request, claim = request or job.request(), claim or job.claimed_by()
    span_start = claim.span_start if claim is not None else 0
    if span_start is None:
        span_start = job.span_start()
    result, outcome, session, size = _read(job, span_start)
    if span_start is None:
        # The run had not begun the job.
        span_start = size
    fields = result.fields if result else {}
    succeeded = known_status is None and outcome.succeeded
    succeeded = succeeded and (exit_is_ours or run_exit.exit_code == 0)
    if not succeeded and known_status is None and reason is None:
        reason = outcome.reason
    if not succeeded and error is None:
        error = _LIMIT_ERRORS.get(str(reason)) or _STATUS_ERRORS.get(str(known_status))
        error = error or outcome.message or _last_error(job) or _describe_exit(run_exit, result)
    return JobEnd(
        status=known_status or ("succeeded" if succeeded else "failed"),
        ended_at=now(),
        **run_exit._asdict(),
        session_id=session if isinstance(session, str) else request and request.session_id,
        result={name: fields[name] for name in _RESULT_FIELDS if name in fields} or None,
        result_at=[result.offset, result.length] if result else None,
        error=error,
        reason=reason,
        run=claim.run if claim else job.prepared.id,
        span_start=span_start,
        span_end=size,
    )


class TurnOutcome(NamedTuple):
    """What the supervisor knows of a turn that has a result.

    `span_start` and `span_end` bound it in the output, in bytes. `cost` is in US dollars.
    `agent_was_stopped` means that an agent in the background was cut short; `background` has the
    tasks in the background, as in `JobEnd`. `results_at` has the positions and lengths of the
    turn's `result` lines. `message_was_lost` means that the CLI exited before it had carried out a
    message that was sent to the job.
    """

    span_start: int
    span_end: int
    session_id: str | None
    cost: float
    agent_was_stopped: bool
    background: list[dict[str, str]]
    results_at: list[list[int]]
    message_was_lost: bool


def judge_turn(
    job: Job,
    run_exit: RunExit,
    known_status: Status | None,
    turn: TurnOutcome,
    *,
    reason: str | None = None,
    request: JobRequest,
    claim: Claim,
) -> JobEnd:
    """The record of the end of a job whose turn has a `result`, as of now.

    How the run ended later does not matter. `known_status` is as for `judge`.
    """
    output = open_output(job.output)
    try:
        result = last_result(output, turn.span_start, turn.span_end)
        hook = result and stopped_by_hook(output, result)
    finally:
        os.close(output)
    fields = result.fields if result else {}
    outcome = outcome_of(fields, hook)
    error = None
    if outcome == BACKGROUND_STOPPED and not turn.agent_was_stopped:
        # In an earlier turn of the run.
        outcome = Outcome(True)
    if outcome.succeeded and turn.agent_was_stopped:
        outcome = BACKGROUND_STOPPED
    if outcome.succeeded and turn.message_was_lost:
        outcome = Outcome(False, None, _MESSAGE_LOST)
    if known_status is None:
        reason = outcome.reason
    if known_status is not None or not outcome.succeeded:
        error = _LIMIT_ERRORS.get(str(reason)) or _STATUS_ERRORS.get(str(known_status))
        error = error or outcome.message or _NO_REASON
    kept = {name: fields[name] for name in _RESULT_FIELDS if name in fields}
    return JobEnd(
        status=known_status or ("succeeded" if outcome.succeeded else "failed"),
        ended_at=now(),
        **run_exit._asdict(),
        session_id=turn.session_id or request.session_id,
        result={**kept, "total_cost_usd": round(turn.cost, 10)},
        result_at=[result.offset, result.length] if result else None,
        error=error,
        reason=reason,
        run=claim.run,
        span_start=turn.span_start,
        span_end=turn.span_end,
        background=turn.background,
        earlier_results_at=turn.results_at[:-1],
    )


def judge_calls(turn: TurnOutcome, *, request: JobRequest, claim: Claim) -> JobEnd:
    """The record of the end of a job whose model has called tools of the client, as of now."""
    return JobEnd(
        status="succeeded",
        ended_at=now(),
        session_id=turn.session_id or request.session_id,
        result={"stop_reason": "tool_use", "total_cost_usd": round(turn.cost, 10)},
        reason=CLIENT_TOOLS,
        run=claim.run,
        span_start=turn.span_start,
        span_end=turn.span_end,
    )


def as_complete(job: Job, end: JobEnd) -> JobEnd:
    """The end of a job; where its answer has ended before it, for a reason, it has succeeded.

    The CLI goes on by itself after `max_tokens` and `refusal` (2.1.330).
    """
    reason = wish.complete_for(job.wish_link)
    if reason is None or end.status not in ("cancelled", "succeeded"):
        return end
    result = {**(end.result or {}), "subtype": "success", "is_error": False, "stop_reason": reason}
    # Any other end is an ordinary one, such as `end_turn`.
    why = reason if reason in STOP_REASONS else None
    return end._replace(status="succeeded", reason=why, error=None, result=result)


def with_full_disk(end: JobEnd) -> JobEnd:
    """The end of a job whose CLI failed because the disk was full, which the CLI cannot report."""
    return end._replace(reason="disk_full", error=_LIMIT_ERRORS["disk_full"])


def _read(job: Job, span_start: int | None) -> _Output:
    output = open_output(job.output)
    try:
        size = os.fstat(output).st_size
        if span_start is None:
            return _Output(None, Outcome(False), None, size)
        result = last_result(output, span_start)
        if result is None:
            return _Output(None, Outcome(False), read_session(output, span_start), size)
        outcome = outcome_of(result.fields, stopped_by_hook(output, result))
        session = result.fields.get("session_id") or read_session(output, span_start)
        return _Output(result, outcome, session, size)
    finally:
        os.close(output)


def _last_error(job: Job) -> str:
    """The last line on standard error that contains "error", or else the last line."""
    text = job.read_stderr(_STDERR_READ).decode(errors="replace")
    lines = [line for line in text.split("\n") if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return sentence((errors or lines or [""])[-1])


def _describe_exit(run_exit: RunExit, result: Result | None) -> str:
    if run_exit.signal is not None:
        return f"The CLI was ended by {run_exit.signal}"
    ended = f"The CLI ended with exit code {run_exit.exit_code}"
    return ended if result else f"{ended} and without a result"
