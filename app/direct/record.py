"""The record of a job that asks the model's API without the CLI; knows gevent.

It is that of any job, without a run: the worker is in the place of the supervisor. The output has
one line, a `result` as the CLI would write it, so that all readers of jobs can read it.
"""

import json
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gevent

from app import processes
from app.conversation.errors import AnswerFailed
from app.direct.answer_reader import Answer
from app.direct.failures import UpstreamRefused
from app.direct.prices import cost_of
from app.jobs.job_json import seconds_between
from app.jobs.service import JobService
from app.records import event_journal
from app.records.claim import Claim, text_of
from app.records.job import Job
from app.records.job_records import JobRequest, Status
from app.records.output_file import open_to_write
from app.records.run import RunExit
from app.runs.verdict import STOP_REASONS, judge
from app.state import files
from app.state.disk import is_out_of_room
from app.timestamps import now

log = logging.getLogger(__name__)

# Seconds between two attempts to write an end on a full disk.
_PAUSE = 0.5
# The CLI's words for these failures.
_REASONS = {"context_too_long": "prompt_too_long"}


class Ending(NamedTuple):
    """Why a request is ended before its answer is complete.

    `reason` and `error` are those of the job's end.
    """

    status: Status
    reason: str | None = None
    error: str | None = None


class Recorder:
    """Writes the records of such jobs, and logs their ends."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        #: This process, which runs the jobs.
        self.process = processes.this_process()

    def create(self, job: Job, request: JobRequest) -> Claim:
        """Make the job and claim it. Raises OSError; the caller removes what was made."""
        Path(job.path).mkdir(mode=0o700)
        files.write_file(job.output, b"")
        files.write_file(f"{job.path}/job.json", json.dumps(request._asdict()).encode())
        # From here on, other processes see it.
        os.link(f"{job.path}/job.json", job.links.live)
        claim = Claim("worker", self.process, job.id)
        files.make_link(job.claim_link, text_of(claim))
        event_journal.note(job.state, "job", job.id)
        return claim

    def end(
        self,
        job: Job,
        request: JobRequest,
        claim: Claim,
        answer: Answer,
        ending: Ending | None,
        failure: AnswerFailed | None,
    ) -> None:
        """Write the job's end, and log it. Raises nothing.

        On a full disk, this returns at once, and the end is written when there is room. If it
        cannot be written, the job is closed as lost once this process has ended.
        """
        result = _result(request, answer, ending, failure)
        line = json.dumps(result, separators=(",", ":")).encode() + b"\n"
        is_short = result["subtype"] == "success" and answer.stop_reason in STOP_REASONS
        reason = answer.stop_reason if is_short else ending and ending.reason
        write = partial(self._write_end, job, request, claim, line, ending, reason)
        error = write()
        if error is not None:
            log.error("cannot write the end of job %s: %s", job.id, error, extra={"job": job.id})
            gevent.spawn(_try_again, job, write, error)

    def _write_end(
        self,
        job: Job,
        request: JobRequest,
        claim: Claim,
        line: bytes,
        ending: Ending | None,
        reason: str | None,
    ) -> OSError | None:
        """Write the job's end; returns why it cannot be written."""
        try:
            _write_output(job.output, line)
            end = judge(
                job,
                RunExit(),
                ending and ending.status,
                error=ending and ending.error,
                reason=reason,
                request=request,
                claim=claim,
                exit_is_ours=True,
            )
            job.write_end(end, request=request)
            self._jobs.log_end(job)
        except OSError as error:
            return error
        return None


def _try_again(job: Job, write: Callable[[], OSError | None], error: OSError | None) -> None:
    """Write a job's end as soon as the disk has room for it."""
    while error is not None and is_out_of_room(error) and job.exists():
        gevent.sleep(_PAUSE)
        error = write()


def _result(
    request: JobRequest, answer: Answer, ending: Ending | None, failure: AnswerFailed | None
) -> dict[str, Any]:
    milliseconds = round(max(0.0, seconds_between(request.started_at, now())) * 1000)
    succeeded = ending is None and failure is None
    result: dict[str, Any] = {
        "type": "result",
        "subtype": "success" if succeeded else "error_during_execution",
        "is_error": not succeeded,
        "duration_ms": milliseconds,
        "duration_api_ms": milliseconds,
        "num_turns": 1,
        "stop_reason": answer.stop_reason,
        "result": answer.text if failure is None else _message(failure),
    }
    if answer.usage:
        result["usage"] = answer.usage
        cost = cost_of(request.model or "", answer.usage)
        if cost is not None:
            result["total_cost_usd"] = cost
    if failure is not None:
        result["terminal_reason"] = _REASONS.get(failure.code, "api_error")
        if isinstance(failure, UpstreamRefused) and failure.api_status is not None:
            result["api_error_status"] = failure.api_status
    return result


def _message(failure: AnswerFailed) -> str:
    text = str(failure.detail)
    return f"Prompt is too long: {text}" if failure.code == "context_too_long" else text


def _write_output(path: str, line: bytes) -> None:
    """Write the only line of an output, of which a part may be there. Raises OSError."""
    # A cancellation has changed its mode.
    descriptor = open_to_write(path, os.O_WRONLY)
    try:
        written = 0
        while written < len(line):
            written += os.pwrite(descriptor, line[written:], written)
    finally:
        os.close(descriptor)
