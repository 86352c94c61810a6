"""A completion's job, read from its first line to its end: one reader of it like any other."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from app.conversation.answer import Answer, Begun, Line, Text
from app.conversation.cut import Cut
from app.conversation.errors import CompletionFailed
from app.conversation.failures import failure_of
from app.conversation.usage import usage_of
from app.errors import JobContinuesAfterShutdown
from app.http.disconnect import DISCONNECTED, follow_for_client
from app.jobs.service import JobService
from app.records.job import Job
from app.runs.launcher.queue import Place

#: Bytes of a job's output that are looked at at a time.
PIECE = 1 << 12

# Why the model ended its last message, and what OpenAI calls that.
_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class Comment(NamedTuple):
    """Nothing was said for a while, or the job waits for its turn."""

    text: str


class Finish(NamedTuple):
    """The answer has ended. `whole`: with all that the model said."""

    reason: str
    whole: bool


class Usage(NamedTuple):
    """What it took: the last that is said."""

    usage: dict[str, Any]


Event = Begun | Text | Line | Comment | Finish | Usage


def read(
    jobs: JobService,
    job: Job,
    answer: Answer,
    cut: Cut,
    environ: Mapping[str, Any],
    *,
    cancel_on_disconnect: bool,
) -> Iterator[list[Event]]:
    """What is said in a job, until its end. Raises the GatewayError with which it failed.

    What is read together comes together, so that it is sent together. Where the answer is cut,
    the job is ended, and then told what it took. If the client
    disconnects, nothing more is read, and with `cancel_on_disconnect` the job is cancelled.
    """
    was_cut = False
    with follow_for_client(
        jobs, job, 0, environ, cancel_on_disconnect=cancel_on_disconnect
    ) as follower:
        for chunk in follower:
            if isinstance(chunk, Place):
                yield [Comment(f"queued {chunk.number}")]
            elif not chunk:
                yield [Comment("ping")]
            elif not was_cut:
                for start in range(0, len(chunk), PIECE):
                    piece = chunk[start : start + PIECE]
                    said = list(_shortened(answer.feed(piece), cut))
                    if said:
                        yield said
                    # There may be a thousand lines in it, and others want to be served.
                    time.sleep(0)
                    if cut.reason is not None:
                        break
                was_cut = cut.reason is not None
                if was_cut:
                    yield [Finish(str(cut.reason), whole=False)]
                    jobs.abandon(job, "its answer is as long as was asked for")
    if follower.stopped_by is None:
        yield list(_end(jobs, job, answer, cut))
    elif follower.stopped_by != DISCONNECTED:
        raise JobContinuesAfterShutdown(job.id)


def _end(jobs: JobService, job: Job, answer: Answer, cut: Cut) -> Iterator[Event]:
    end, result = jobs.end_of(job), jobs.result_of(job)
    if cut.reason is None:
        failure = failure_of(end, result, answer.was_active)
        if failure is not None:
            raise failure
        if answer.structured and "structured_output" not in result:
            raise CompletionFailed(
                "no_structured_output", "The model gave no answer that follows the schema"
            )
        yield from _shortened(answer.finish(result), cut)
        held = cut.finish()
        if held:
            yield Text(held)
        reason = cut.reason or _REASONS.get(str(result.get("stop_reason")), "stop")
        yield Finish(reason, whole=cut.reason is None)
    yield Usage(usage_of(result, answer.usage.values()))


def _shortened(said: Iterator[Begun | Text | Line], cut: Cut) -> Iterator[Event]:
    """What is said up to the cut."""
    for each in said:
        if not isinstance(each, Text):
            yield each
            continue
        text = cut.feed(each.text)
        if text:
            yield Text(text)
        if cut.reason:
            return
