"""How a job ended: what its exit, its last `result` line and our own marks say together.

Standard library alone: the supervisor imports this.
"""

import os

from app.cli.lines import last_result, read_session
from app.jobs import processes
from app.jobs.directory import Ended, JobDirectory, Status, now

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


def judge(
    directory: JobDirectory,
    mark: Status | None,
    asked_session: str | None,
    *,
    wait_status: int | None = None,
    stop_signal: str | None = None,
    killed: int = 0,
    error: str | None = None,
    left: int = 0,
    reason: str | None = None,
) -> Ended:
    """The record of a job's end, now.

    `asked_session` is the session that the request wanted to continue. `mark` is what we know
    better than the exit code, which says nothing sure of a cancellation. Without one, a job
    has succeeded if the CLI exited with 0 (`wait_status`, as of waitpid(2)) and its last
    `result` line says that it is no error; both, because the CLI has been seen to exit with 0
    and no result. The CLI's output must not grow any more.
    """
    exit_code = signal_name = None
    if wait_status is not None and os.WIFSIGNALED(wait_status):
        signal_name = processes.signal_name(os.WTERMSIG(wait_status))
    elif wait_status is not None:
        exit_code = os.waitstatus_to_exitcode(wait_status)
    output = directory.open_output()
    try:
        result = last_result(output)
        said = result.fields if result else {}
        session = said.get("session_id") or read_session(output)
    finally:
        os.close(output)
    succeeded = exit_code == 0 and said.get("is_error") is False
    return Ended(
        status=mark or ("succeeded" if succeeded else "failed"),
        ended_at=now(),
        exit_code=exit_code,
        signal=signal_name,
        stop_signal=stop_signal,
        killed=killed,
        session_id=session if isinstance(session, str) else asked_session,
        result={name: said[name] for name in _RESULT_FIELDS if name in said} or None,
        result_at=[result.offset, result.length] if result else None,
        error=error,
        left=left,
        reason=reason,
    )
