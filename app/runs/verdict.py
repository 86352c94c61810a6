"""How a job ended: what its exit, its last `result` line and our own marks say together.

Standard library alone: the supervisor imports this.
"""

import os

from app import processes
from app.cli.lines import Result, last_result, read_session, stopped_by_hook
from app.cli.result import Verdict, sentence, verdict
from app.records.job import Job, JobEnd, Status, now

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
# What a job ran into that the CLI does not know of.
_LIMITS = {
    "timeout": "The job took longer than its time limit (timeout)",
    "idle_timeout": "The CLI was silent for longer than the limit (idle_timeout)",
    "output_limit": "The CLI's output exceeded the limit (MAX_JOB_OUTPUT)",
    "disk_full": "The disk of STATE_DIR is full",
}
_MARKS = {
    "cancelled": "The job was cancelled",
    "lost": "The process that supervised the job was killed",
}
# Bytes of standard error that are searched for the CLI's words.
_ERRORS_READ = 4096


def judge(
    job: Job,
    mark: Status | None,
    asked_session: str | None,
    *,
    wait_status: int | None = None,
    stop_signal: str | None = None,
    killed: int = 0,
    error: str | None = None,
    left: int = 0,
    reason: str | None = None,
) -> JobEnd:
    """The record of a job's end, now.

    `asked_session` is the session that the request wanted to continue. `mark` is what we know
    better than the exit code, which says nothing sure of a cancellation. Without one, a job
    has succeeded if the CLI exited with 0 (`wait_status`, as of waitpid(2)) and its last
    `result` line says so; both, because the CLI has been seen to exit with 0 and no result.
    `reason` is the limit that the job ran into. The CLI's output must not grow any more.
    """
    exit_code = signal_name = None
    if wait_status is not None and os.WIFSIGNALED(wait_status):
        signal_name = processes.signal_name(os.WTERMSIG(wait_status))
    elif wait_status is not None:
        exit_code = os.waitstatus_to_exitcode(wait_status)
    result, said, session = _read(job)
    fields = result.fields if result else {}
    succeeded = mark is None and exit_code == 0 and said.succeeded
    if not succeeded and mark is None and reason is None:
        reason = said.reason
    if not succeeded and error is None:
        error = (
            _LIMITS.get(str(reason))
            or _MARKS.get(str(mark))
            or said.words
            or _complaint(job)
            or _exit(exit_code, signal_name, result)
        )
    return JobEnd(
        status=mark or ("succeeded" if succeeded else "failed"),
        ended_at=now(),
        exit_code=exit_code,
        signal=signal_name,
        stop_signal=stop_signal,
        killed=killed,
        session_id=session if isinstance(session, str) else asked_session,
        result={name: fields[name] for name in _RESULT_FIELDS if name in fields} or None,
        result_at=[result.offset, result.length] if result else None,
        error=error,
        left=left,
        reason=reason,
    )


def with_full_disk(ended: JobEnd) -> JobEnd:
    """The same end of a job whose CLI failed, without saying why, because the disk is full."""
    return ended._replace(reason="disk_full", error=_LIMITS["disk_full"])


def _read(job: Job) -> tuple[Result | None, Verdict, object]:
    """The last result of a job's output, what it means, and the job's session."""
    output = job.open_output()
    try:
        result = last_result(output)
        if result is None:
            return None, Verdict(False), read_session(output)
        said = verdict(result.fields, stopped_by_hook(output, result))
        return result, said, result.fields.get("session_id") or read_session(output)
    finally:
        os.close(output)


def _complaint(job: Job) -> str:
    """The CLI's own words on standard error: the last line that speaks of an error, or the last."""
    text = job.read_errors(_ERRORS_READ).decode(errors="replace")
    lines = [line for line in text.split("\n") if line.strip()]
    of_errors = [line for line in lines if "error" in line.lower()]
    return sentence((of_errors or lines or [""])[-1])


def _exit(exit_code: int | None, signal_name: str | None, result: Result | None) -> str:
    if signal_name is not None:
        return f"The CLI was ended by {signal_name}"
    ended = f"The CLI ended with exit code {exit_code}"
    return ended if result else f"{ended} and without a result"
