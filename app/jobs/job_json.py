"""The JSON of a job for clients: its end, its record, or its row in a listing."""

from datetime import datetime
from typing import Any

from app.cli.lines import parse_result
from app.records.inbox import SETTLED, Inbox
from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest
from app.runs.queue_file import Place
from app.state.files import read_at

#: Bytes of standard error in the end of a failed job.
STDERR_LIMIT = 4096

# Fields of a `result` line, and their types: the CLI or a job may write anything.
_RESULT_FIELDS: dict[str, type | tuple[type, ...]] = {
    "is_error": bool,
    "total_cost_usd": (int, float),
    "duration_ms": (int, float),
    "num_turns": int,
    "usage": dict,
}
_END_FIELDS = (
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
    """How a job ended: the data of `event: done`."""
    result = _typed_result(ended)
    end = {
        "process_id": job.id,
        "status": ended.status,
        "exit_code": ended.exit_code,
        "signal": ended.signal,
        "session_id": ended.session_id,
        "is_error": result.get("is_error"),
        "total_cost_usd": result.get("total_cost_usd"),
        "duration_ms": result.get("duration_ms"),
        "reason": ended.reason,
    }
    if ended.talks:
        end["run_id"] = ended.run
    if ended.background:
        end["background"] = ended.background
    if ended.error is not None:
        end["error"] = ended.error
    if ended.status != "succeeded":
        end["stderr"] = job.read_stderr(STDERR_LIMIT).decode(errors="replace")
    return end


def render_running(
    job: Job, request: JobRequest, user: str, place: Place | None, session: str | None = None
) -> dict[str, Any]:
    """A job that is running, or queued at this place: a row of `GET /processes`.

    `user` is the name of the job's user. Without a known `session`, the output is searched for it.
    """
    return {
        "process_id": request.id,
        "cwd": request.cwd,
        "model": request.model,
        "started_at": request.started_at,
        "session_id": session or job.read_session() or request.session_id,
        "user": user,
        "status": "running" if place is None else "queued",
        "queue_position": place and place.number,
        "title": request.title,
        "backend": request.backend,
    }


def session_of(job: Job, request: JobRequest, ended: JobEnd | None) -> str | None:
    """The session of a job: the one that the CLI has named, or else the one in the request."""
    named = job.read_session() if ended is None else ended.session_id
    return named or request.session_id


def render_row(
    job: Job,
    request: JobRequest,
    user: str,
    ended: JobEnd | None,
    place: Place | None,
    open_questions: int,
) -> dict[str, Any]:
    """A job's short record, for which no output of a job that has ended is read."""
    result = {} if ended is None else _typed_result(ended)
    status = "queued" if place else "running"
    claim = job.claimed_by() if ended is None else None
    return {
        "process_id": job.id,
        "status": ended.status if ended else status,
        "reason": ended and ended.reason,
        "title": request.title,
        "cwd": request.cwd,
        "model": request.model,
        "user": user,
        "session_id": session_of(job, request, ended),
        "run_id": ended.run if ended else claim and claim.run,
        "started_at": request.started_at,
        "ended_at": ended and ended.ended_at,
        "duration_ms": result.get("duration_ms"),
        "total_cost_usd": result.get("total_cost_usd"),
        "num_turns": result.get("num_turns"),
        "is_error": result.get("is_error"),
        "queue_position": place and place.number,
        "open_questions": open_questions,
        "backend": request.backend,
        "detached": request.detached,
    }


def render_record(
    job: Job, request: JobRequest, user: str, ended: JobEnd | None, place: Place | None
) -> dict[str, Any]:
    """A job's record: the fields of `done`, its request, and the result."""
    end = {} if ended is None else render_end(job, ended)
    result = {} if ended is None else _typed_result(ended)
    running = render_running(job, request, user, place, ended and ended.session_id)
    return {
        **dict.fromkeys(_END_FIELDS),
        **running,
        **end,
        "session_id": running["session_id"],
        "prompt_length": request.prompt_length,
        "detached": request.detached,
        "ended_at": ended and ended.ended_at,
        "num_turns": result.get("num_turns"),
        "usage": result.get("usage"),
        "result": ended and _result_text(job, ended),
        "messages": [
            {"message_id": key, "state": each} for key, each in message_states(job, ended).items()
        ],
    }


def message_states(job: Job, ended: JobEnd | None) -> dict[str, str]:
    """What has become of each message that was sent to a job while it ran, by its id."""
    states = Inbox(job.path).states()
    if ended is not None:
        states = {key: each if each in SETTLED else "discarded" for key, each in states.items()}
    return states


def _typed_result(ended: JobEnd) -> dict[str, Any]:
    """The fields of the CLI's last `result` line that have the documented type."""
    fields = ended.result or {}
    return {
        name: fields[name]
        for name, kind in _RESULT_FIELDS.items()
        if isinstance(fields.get(name), kind)
        and (kind is bool or not isinstance(fields[name], bool))
    }


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one timestamp of a record to another.

    >>> seconds_between("2026-01-01T00:00:59.500Z", "2026-01-01T00:01:01.000Z")
    1.5
    """
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (ValueError, TypeError):
        # A job can damage its records.
        return 0.0


def result_fields(job: Job, ended: JobEnd) -> dict[str, Any]:
    """All fields of the CLI's last `result` line; {} if there is none."""
    return {} if ended.result_at is None else _result_at(job, ended.result_at)


def _result_at(job: Job, place: list[int]) -> dict[str, Any]:
    if len(place) != 2:
        return {}
    offset, length = place
    try:
        return parse_result(read_at(job.output, length, offset))
    except OSError:
        # The output was removed or replaced.
        return {}


def _result_text(job: Job, ended: JobEnd) -> str | None:
    """The texts of the job's `result` lines, in order; None if there is none.

    There are several if something in the background woke the model after its first answer.
    """
    found = [_result_at(job, place).get("result") for place in ended.earlier_results_at]
    found.append(result_fields(job, ended).get("result"))
    texts = [text for text in found if isinstance(text, str)]
    return "\n\n".join(texts) if texts else None
