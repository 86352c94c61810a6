"""What clients are told of a job: the keys of `done`, of a record, of a row of what runs."""

from datetime import datetime
from typing import Any

from app.cli.lines import parse_result
from app.records.job import Job, JobEnd, JobRequest
from app.runs.queue_file import Place
from app.state.files import read_at

#: Bytes of standard error that the end of a failed job tells.
ERRORS_TOLD = 4096

# What a `result` line says, and of which type that is; the CLI, or a job, may write anything.
_SAID: dict[str, type | tuple[type, ...]] = {
    "is_error": bool,
    "total_cost_usd": (int, float),
    "duration_ms": (int, float),
    "num_turns": int,
    "usage": dict,
}
_ENDS = (
    "process_id",
    "status",
    "exit_code",
    "signal",
    "session_id",
    "is_error",
    "total_cost_usd",
    "duration_ms",
    "reason",
)


def render_end(job: Job, ended: JobEnd) -> dict[str, Any]:
    """How a job ended, as `event: done` tells it."""
    said = _said(ended)
    told = {
        "process_id": job.id,
        "status": ended.status,
        "exit_code": ended.exit_code,
        "signal": ended.signal,
        "session_id": ended.session_id,
        "is_error": said.get("is_error"),
        "total_cost_usd": said.get("total_cost_usd"),
        "duration_ms": said.get("duration_ms"),
        "reason": ended.reason,
    }
    if ended.error is not None:
        told["error"] = ended.error
    if ended.status != "succeeded":
        told["stderr"] = job.read_stderr(ERRORS_TOLD).decode(errors="replace")
    return told


def render_running(job: Job, request: JobRequest, user: str, place: Place | None) -> dict[str, Any]:
    """A job that runs, or waits in this place, as `GET /processes` shows it.

    `user` is the name of who asked for it.
    """
    return {
        "process_id": request.id,
        "cwd": request.cwd,
        "model": request.model,
        "started_at": request.started_at,
        "session_id": job.read_session() or request.session_id,
        "user": user,
        "status": "running" if place is None else "queued",
        "queue_position": place and place.number,
        "title": request.title,
    }


def render_record(
    job: Job, request: JobRequest, user: str, ended: JobEnd | None, place: Place | None
) -> dict[str, Any]:
    """All that is known of a job: what `done` tells, what was asked, and the result."""
    end = {} if ended is None else render_end(job, ended)
    said = {} if ended is None else _said(ended)
    known = {**dict.fromkeys(_ENDS), **render_running(job, request, user, place)}
    return {
        **known,
        **end,
        "session_id": end.get("session_id") or known["session_id"],
        "prompt_length": request.prompt_length,
        "detached": request.detached,
        "ended_at": ended and ended.ended_at,
        "num_turns": said.get("num_turns"),
        "usage": said.get("usage"),
        "result": ended and _result_text(job, ended),
    }


def _said(ended: JobEnd) -> dict[str, Any]:
    """The fields of the CLI's last `result` line that have the documented type."""
    said = ended.result or {}
    return {
        name: said[name]
        for name, kind in _SAID.items()
        if isinstance(said.get(name), kind) and (kind is bool or not isinstance(said[name], bool))
    }


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one moment of a record to another.

    >>> seconds_between("2026-01-01T00:00:59.500Z", "2026-01-01T00:01:01.000Z")
    1.5
    """
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (ValueError, TypeError):
        # A job can write into its records.
        return 0.0


def result_fields(job: Job, ended: JobEnd) -> dict[str, Any]:
    """All that the CLI's last `result` line says; {} if it wrote none."""
    if ended.result_at is None or len(ended.result_at) != 2:
        return {}
    offset, length = ended.result_at
    try:
        return parse_result(read_at(job.output, length, offset))
    except OSError:
        # The output was removed or replaced.
        return {}


def _result_text(job: Job, ended: JobEnd) -> str | None:
    """The answer's text in the CLI's last `result` line, if it wrote one."""
    text = result_fields(job, ended).get("result")
    return text if isinstance(text, str) else None
