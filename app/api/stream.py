"""The stream of a job's output to a client, as server-sent events or as raw lines."""

import errno
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from app import sse
from app.errors import JobNotFound, JobNotStarted
from app.http.disconnect import DISCONNECTED, follow_for_client
from app.jobs.follow import END
from app.jobs.service import JobService
from app.jobs.start_kind import count_first_line
from app.metrics import Metrics
from app.records.job import Job
from app.runs.queue_file import Place

log = logging.getLogger(__name__)

#: Milliseconds after which a browser's EventSource reconnects.
RETRY = 1000


class Form(Protocol):
    """The form in which a job's output is sent."""

    @property
    def inside_line(self) -> bool:
        """Whether a line has begun that nothing else may be written into."""

    @property
    def lines(self) -> int:
        """How many whole lines of the job's output have been fed."""

    def begin(self, position: int) -> None:
        """The first chunk begins at this position of the output."""

    def feed(self, chunk: bytes) -> bytes:
        """What is sent for a chunk of the output."""

    def heartbeat(self, trouble: str | None) -> bytes:
        """What is sent after a silence, but never `inside_line`; `trouble` explains it."""

    def queued(self, place: Place) -> bytes:
        """What is sent while the job is queued."""

    def finish(self, end: Mapping[str, Any]) -> bytes:
        """What is sent when the job has ended."""

    def abort(self, error: Mapping[str, Any]) -> bytes | None:
        """What is sent when the gateway ends the stream; None to close the connection."""


class Events:
    """Server-sent events (`app.sse`)."""

    def __init__(self) -> None:
        self._framer = sse.Framer(0)
        self._head = b"retry: %d\n" % RETRY

    def begin(self, position: int) -> None:
        """The ids of the events are positions, too."""
        self._framer.begin(position)

    @property
    def inside_line(self) -> bool:
        """Whether an event has begun that only the rest of its line can end."""
        return self._framer.inside

    @property
    def lines(self) -> int:
        """Counted by the framer: counting here would cost a tenth of a stream's time."""
        return self._framer.lines

    def feed(self, chunk: bytes) -> bytes:
        """A `message` event for each line.

        The first event also has `retry:`. In a block of its own that would be an event without
        data for some clients.
        """
        return self._with_head(self._framer.feed(chunk))

    def heartbeat(self, trouble: str | None) -> bytes:
        """A comment."""
        return sse.comment(trouble or "ping")

    def queued(self, place: Place) -> bytes:
        """A comment with the place in the queue."""
        why = " (another job is using this session)" if place.waits_for == "session" else ""
        return sse.comment(f"queued {place.number}{why}")

    def finish(self, end: Mapping[str, Any]) -> bytes:
        """The last line, and `done`."""
        return self._with_head(self._framer.finish() + sse.event("done", end, END))

    def abort(self, error: Mapping[str, Any]) -> bytes | None:
        """An `error` event; None inside of a line, which it would become a part of."""
        return None if self.inside_line else self._with_head(sse.event("error", error))

    def _with_head(self, events: bytes) -> bytes:
        if not events:
            return b""
        head, self._head = self._head, b""
        return head + events


class Lines:
    """The CLI's bytes and nothing else (application/x-ndjson)."""

    inside_line = True

    def __init__(self) -> None:
        self.lines = 0

    def begin(self, position: int) -> None:
        """The bytes have no ids."""

    def feed(self, chunk: bytes) -> bytes:
        """The bytes as they are."""
        self.lines += chunk.count(b"\n")
        return chunk

    def heartbeat(self, trouble: str | None) -> bytes:
        """Nothing."""
        return b""

    def queued(self, place: Place) -> bytes:
        """Nothing."""
        return b""

    def finish(self, end: Mapping[str, Any]) -> bytes:
        """Nothing: the end of the response shows that it is complete."""
        return b""

    def abort(self, error: Mapping[str, Any]) -> bytes | None:
        """None: a response that ended in order would look complete."""
        return None


def stream(
    jobs: JobService,
    job: Job,
    position: int,
    form: Form,
    environ: Mapping[str, Any],
    *,
    cancel_on_disconnect: bool = False,
    requested_at: float | None = None,
) -> Iterator[bytes]:
    """The job's output from a position to its end, in this form.

    With `cancel_on_disconnect`, the job is cancelled if the client disconnects before that.
    `requested_at` is when a new job was requested, by the monotonic clock.
    """
    metrics = jobs.metrics
    metrics.count_stream(1)
    try:
        with follow_for_client(
            jobs, job, position, environ, cancel_on_disconnect=cancel_on_disconnect
        ) as follower:
            # Even an empty chunk makes gunicorn send the head, before the CLI writes anything.
            yield b""
            has_begun = False
            for chunk in follower:
                if isinstance(chunk, Place):
                    yield form.queued(chunk)
                elif chunk:
                    if not has_begun:
                        has_begun = True
                        form.begin(follower.chunk_at)
                    now = time.monotonic()
                    yield _feed(form, chunk, metrics)
                    if requested_at is not None:
                        # Not before the line is sent: this reads records.
                        _count_first_line(metrics, job, now - requested_at)
                        requested_at = None
                elif not form.inside_line:
                    yield form.heartbeat(jobs.trouble())
        if follower.stopped_by is None:
            yield form.finish(jobs.end_of(job))
        elif follower.stopped_by != DISCONNECTED:
            yield _abort(form, job, "stream_ended", follower.stopped_by)
    except (JobNotStarted, JobNotFound) as error:
        yield _abort(form, job, error.code, str(error))
    except BrokenPipeError:
        raise
    except Exception as error:
        # The job continues, and can be read again.
        log.error("the stream of job %s failed: %s", job.id, type(error).__name__)
        yield _abort(form, job, "internal_error", "the gateway could not continue this stream")
    finally:
        metrics.count_stream(-1)


def _count_first_line(metrics: Metrics, job: Job, seconds: float) -> None:
    metrics.count_first_line(seconds)
    count_first_line(metrics, job, seconds)


def _feed(form: Form, chunk: bytes, metrics: Metrics) -> bytes:
    """What is sent for a chunk, whose lines are counted."""
    before = form.lines
    frames = form.feed(chunk)
    metrics.count_forwarded(form.lines - before, len(chunk))
    return frames


def _abort(form: Form, job: Job, code: str, message: str) -> bytes:
    last = form.abort({"error": message, "code": code, "process_id": job.id})
    if last is None:
        # gunicorn closes the connection without finishing the response.
        raise BrokenPipeError(errno.EPIPE, message)
    return last
