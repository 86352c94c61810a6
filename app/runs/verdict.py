"""The verdict on a job's end: its status, reason, error.

Standard library alone, because the supervisor imports this.
"""

import os
from typing import NamedTuple

from app import processes
from app.cli.lines import Result, last_result, read_session, stopped_by_hook
from app.cli.result_line import Outcome, outcome_of, sentence
from app.records.job import Job
from app.records.job_records import Claim, JobEnd, JobRequest, Status
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
) -> JobEnd:
    """The record of a job's end, as of now; the CLI's output must be complete.

    `known_status` is the status that the gateway knows itself, such as `cancelled`. Without one, a
    job has succeeded if the CLI exited with 0 and its last `result` line reports success: the CLI
    has been seen to exit with 0 without a result. `reason` is the limit that the job has reached.
    `request` and `claim` are read from the job unless they are given.
    """
    request, claim = request or job.request(), claim or job.claimed_by()
    result, outcome, session, size = _read(job)
    fields = result.fields if result else {}
    succeeded = known_status is None and run_exit.exit_code == 0 and outcome.succeeded
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
        run=claim.run if claim else job.run.id,
        span_start=claim.span_start if claim else 0,
        span_end=size,
    )


def with_full_disk(end: JobEnd) -> JobEnd:
    """The end of a job whose CLI failed because the disk was full, which the CLI cannot report."""
    return end._replace(reason="disk_full", error=_LIMIT_ERRORS["disk_full"])


def _read(job: Job) -> _Output:
    output = open_output(job.output)
    try:
        size = os.fstat(output).st_size
        result = last_result(output)
        if result is None:
            return _Output(None, Outcome(False), read_session(output), size)
        outcome = outcome_of(result.fields, stopped_by_hook(output, result))
        session = result.fields.get("session_id") or read_session(output)
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
