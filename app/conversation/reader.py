"""The reader of a job as the events of an answer."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Protocol

from app.conversation.cut import Cut
from app.conversation.errors import AnswerFailed
from app.conversation.events import (
    AnswerEnd,
    AnswerEvent,
    Comment,
    Event,
    TextDelta,
    UsageReport,
)
from app.conversation.failure_kinds import failure_of
from app.conversation.usage import usage_of
from app.errors import JobContinuesAfterShutdown
from app.http.disconnect import DISCONNECTED, begins_at_once, follow_for_client
from app.jobs.service import JobService
from app.jobs.start_kind import count_first_line
from app.records.job import Job
from app.runs.queue_file import Place

#: Bytes of a job's output that are parsed at a time.
PIECE = 1 << 12
# Seconds of the longest limit of an account: some count by the month.
_LONGEST_LIMIT = 32 * 86_400


class Parser(Protocol):
    """What `read_events` needs of the parser of an answer."""

    @property
    def structured(self) -> bool:
        """Whether the answer is only the structured output."""

    def has_structured_output(self, result: Mapping[str, Any]) -> bool:
        """Whether the CLI's last result line has the structured output."""

    @property
    def has_client_tools(self) -> bool:
        """Whether the client brings tools."""

    @property
    def is_model_alone(self) -> bool:
        """Whether the model has no tools but the client's."""

    @property
    def must_call(self) -> bool:
        """Whether an answer without a call of the client's tools is no answer."""

    @property
    def has_calls(self) -> bool:
        """Whether the model has called one of the client's tools."""

    @property
    def used_tools(self) -> bool:
        """Whether the job has, or may have, had an effect."""

    @property
    def usage(self) -> Mapping[str, Mapping[str, Any]]:
        """The usage of each of the model's messages."""

    @property
    def limit_ends_at(self) -> float | None:
        """When the account's limit ends that was reached, in Unix time; None if none was."""

    @property
    def ended(self) -> str | None:
        """Why the answer is complete although the job goes on; None if it is not."""

    def feed(self, chunk: bytes) -> Iterator[AnswerEvent]:
        """The events of a chunk of output. Raises AnswerFailed."""

    def finish(self, result: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        """The events of the CLI's last result line, after a success without calls."""


@begins_at_once
def read_events(
    jobs: JobService,
    job: Job,
    parser: Parser,
    cut: Cut,
    environ: Mapping[str, Any],
    *,
    cancel_on_disconnect: bool,
    on_disconnect: Callable[[Job], None] | None = None,
    end_run_at_cut: bool,
    requested_at: float | None = None,
) -> Generator[list[Event]]:
    """The events of a job until its end. Raises AnswerFailed and JobContinuesAfterShutdown.

    Events that can be sent together come in one list. Where the answer is cut, the job is
    cancelled, with `end_run_at_cut` also its run, and its usage is still reported; in model mode
    the job has succeeded. If the client disconnects, the events end, and with
    `cancel_on_disconnect` the job is cancelled, or `on_disconnect` is called with it.
    `requested_at` is when a new job was requested, by the monotonic clock.
    """
    was_cut = False
    with follow_for_client(
        jobs,
        job,
        0,
        environ,
        cancel_on_disconnect=cancel_on_disconnect,
        on_disconnect=on_disconnect,
    ) as follower:
        yield []
        for chunk in follower:
            if isinstance(chunk, Place):
                yield [Comment(f"queued {chunk.number}")]
            elif not chunk:
                yield [Comment("ping")]
            elif not was_cut:
                if requested_at is not None:
                    count_first_line(jobs.metrics, job, time.monotonic() - requested_at)
                    requested_at = None
                yield from _parsed(jobs, job, parser, cut, chunk)
                was_cut = cut.reason is not None
                if cut.reason is not None:
                    yield [AnswerEnd(cut.reason, is_complete=False)]
                    _end_at_cut(jobs, job, parser, cut.reason, end_run_at_cut)
    if follower.stopped_by is None:
        yield list(_last_events(jobs, job, parser, cut))
    elif follower.stopped_by != DISCONNECTED:
        raise JobContinuesAfterShutdown(job.id)


def _parsed(
    jobs: JobService, job: Job, parser: Parser, cut: Cut, chunk: bytes
) -> Iterator[list[Event]]:
    """The events of a chunk of output, up to the cut. Raises AnswerFailed."""
    for start in range(0, len(chunk), PIECE):
        piece = chunk[start : start + PIECE]
        try:
            events = list(_until_cut(parser.feed(piece), cut))
        except AnswerFailed as failure:
            jobs.abandon(job, str(failure.detail))
            raise
        cut.reason = cut.reason or parser.ended
        if events:
            yield events
        # A piece may have a thousand lines: other requests are served in between.
        time.sleep(0)
        if cut.reason is not None:
            return


def _end_at_cut(
    jobs: JobService, job: Job, parser: Parser, reason: str, end_run_at_cut: bool
) -> None:
    """End a job whose answer has ended before it."""
    if not parser.has_client_tools:
        why = "the answer has reached its stop or its length limit"
        jobs.abandon(job, why, ends_run=end_run_at_cut)
    elif job.end() is None:
        jobs.complete(job, reason)


def _last_events(jobs: JobService, job: Job, parser: Parser, cut: Cut) -> Iterator[Event]:
    end, result = jobs.end_of(job), jobs.result_of(job)
    if cut.reason is None:
        failure = failure_of(
            end,
            result,
            parser.used_tools,
            parser.is_model_alone,
            _retry_after(parser.limit_ends_at),
        )
        if failure is not None:
            raise failure
        is_structured = parser.structured and not parser.has_calls
        if is_structured and not parser.has_structured_output(result):
            raise AnswerFailed(
                "no_structured_output", "The model's answer has no structured output"
            )
        if parser.must_call and not parser.has_calls:
            raise AnswerFailed("tool_not_called", "The model has called none of the tools")
        if not parser.has_calls:
            yield from _until_cut(parser.finish(result), cut)
        held_back = cut.finish()
        if held_back:
            yield TextDelta(held_back)
        yield AnswerEnd(
            cut.reason or _ended(result, parser.has_calls), is_complete=cut.reason is None
        )
    # The result of a model with the client's tools is that of several answers.
    counted = {} if parser.has_client_tools else result
    yield UsageReport(usage_of(counted, parser.usage.values()))


def _ended(result: Mapping[str, Any], has_calls: bool) -> str:
    """Why the model has ended its answer."""
    if has_calls:
        return "tool_use"
    reason = str(result.get("stop_reason"))
    # A structured answer is a call of one of the CLI's own tools, which the client does not get.
    return "end_turn" if reason == "tool_use" else reason


def _until_cut(events: Iterator[AnswerEvent], cut: Cut) -> Iterator[Event]:
    for event in events:
        if not isinstance(event, TextDelta):
            yield event
            continue
        text = cut.feed(event.text)
        if text:
            yield TextDelta(text)
        if cut.reason:
            return


def _retry_after(moment: float | None) -> int | None:
    """Seconds until a moment in Unix time, if that lies ahead."""
    seconds = 0.0 if moment is None else moment - time.time()
    return math.ceil(seconds) if 0 < seconds < _LONGEST_LIMIT else None
