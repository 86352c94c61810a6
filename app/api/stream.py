"""A job's output on its way to one client, as events or as raw lines."""

import errno
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from app import sse
from app.errors import JobNotFound, JobNotStarted
from app.http.disconnect import CLIENT_LEFT, follow_for_client
from app.jobs.follow import END
from app.jobs.service import JobService
from app.records.job import Job
from app.runs.launcher.queue import Place

log = logging.getLogger(__name__)

#: Milliseconds after which a browser's EventSource comes back by itself.
RETRY = 1000


class Form(Protocol):
    """How chunks of a job's output become what is sent."""

    @property
    def inside(self) -> bool:
        """Whether a line has begun that nothing else may be written into."""

    @property
    def lines(self) -> int:
        """How many lines of the job's output have been fed whole."""

    def begin(self) -> bytes:
        """What is sent before the CLI has said anything."""

    def feed(self, chunk: bytes) -> bytes:
        """What a chunk becomes."""

    def pause(self, trouble: str | None) -> bytes:
        """What is sent after a silence, never while `inside` a line; why it may last, if known."""

    def wait(self, place: Place) -> bytes:
        """What is sent while the job waits for its turn."""

    def finish(self, end: Mapping[str, Any]) -> bytes:
        """What is sent when the job has ended."""

    def break_off(self, error: Mapping[str, Any]) -> bytes | None:
        """What is sent when the gateway ends the stream; None if the connection shall break."""


class Events:
    """The event stream: see `app.sse`."""

    def __init__(self, position: int) -> None:
        self._framer = sse.Framer(position)
        self._head = b"retry: %d\n" % RETRY

    @property
    def inside(self) -> bool:
        """Whether an event has begun that only the rest of its line can end."""
        return self._framer.inside

    @property
    def lines(self) -> int:
        """Known to the framer: to count them here would cost a tenth of a stream's time."""
        return self._framer.lines

    def begin(self) -> bytes:
        """Nothing: see `feed`."""
        return b""

    def feed(self, chunk: bytes) -> bytes:
        """A `message` event for each line.

        The first event also has the time after which a browser reconnects. A block of its own
        would be an event without data, which some clients take for one.
        """
        return self._headed(self._framer.feed(chunk))

    def pause(self, trouble: str | None) -> bytes:
        """A comment."""
        return sse.comment(trouble or "ping")

    def wait(self, place: Place) -> bytes:
        """A comment."""
        why = " (another job goes on with this session)" if place.waits_for == "session" else ""
        return sse.comment(f"queued {place.number}{why}")

    def finish(self, end: Mapping[str, Any]) -> bytes:
        """The last line, and `done`."""
        return self._headed(self._framer.finish() + sse.event("done", end, END))

    def break_off(self, error: Mapping[str, Any]) -> bytes | None:
        """An `error` event, if it can be told apart from a line that has begun."""
        return None if self.inside else self._headed(sse.event("error", error))

    def _headed(self, events: bytes) -> bytes:
        if not events:
            return b""
        head, self._head = self._head, b""
        return head + events


class Lines:
    """The CLI's bytes and nothing else (application/x-ndjson)."""

    inside = True

    def __init__(self) -> None:
        self.lines = 0

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def feed(self, chunk: bytes) -> bytes:
        """The bytes as they are."""
        self.lines += chunk.count(b"\n")
        return chunk

    def pause(self, trouble: str | None) -> bytes:
        """Nothing."""
        return b""

    def wait(self, place: Place) -> bytes:
        """Nothing."""
        return b""

    def finish(self, end: Mapping[str, Any]) -> bytes:
        """Nothing: the answer's end says that it is whole."""
        return b""

    def break_off(self, error: Mapping[str, Any]) -> bytes | None:
        """An answer that ended in order would claim to be whole."""
        return None


def stream(
    jobs: JobService,
    job: Job,
    position: int,
    form: Form,
    environ: Mapping[str, Any],
    client_left: Callable[[], None],
    asked_at: float | None = None,
) -> Iterator[bytes]:
    """The job's output from a position on, to its end.

    `client_left` is called if the client goes away before that. That the gateway stops is not
    the client's going away. `asked_at` is when the job was asked for, by the monotonic clock,
    if this is its first reader.
    """
    stopped_by: str | None = None
    metrics = jobs.metrics
    metrics.count_stream(1)
    try:
        # Also an empty chunk has gunicorn send the head now, before the CLI says anything.
        yield form.begin()
        with follow_for_client(jobs, job, position, environ) as follower:
            for chunk in follower:
                if isinstance(chunk, Place):
                    yield form.wait(chunk)
                elif chunk:
                    if asked_at is not None:
                        metrics.count_first_line(time.monotonic() - asked_at)
                        asked_at = None
                    before = form.lines
                    frames = form.feed(chunk)
                    metrics.count_forwarded(form.lines - before, len(chunk))
                    yield frames
                elif not form.inside:
                    yield form.pause(jobs.trouble())
            stopped_by = follower.stopped_by
        if stopped_by is None:
            try:
                last = form.finish(jobs.end_of(job))
            except (JobNotStarted, JobNotFound) as error:
                told = {"error": error.detail, "code": error.code, "process_id": job.id}
                last = _break_off(form, told)
            yield last
        elif stopped_by != CLIENT_LEFT:
            told = {"error": stopped_by, "code": "stream_ended", "process_id": job.id}
            yield _break_off(form, told)
    except GeneratorExit:
        stopped_by = jobs.stopped_by or CLIENT_LEFT
        raise
    except BrokenPipeError:
        raise
    except Exception as error:
        # The job runs on, and can be asked for again.
        log.error("the stream of job %s failed: %s", job.id, type(error).__name__)
        told = {
            "error": "the gateway could not go on with this stream",
            "code": "internal_error",
            "process_id": job.id,
        }
        yield _break_off(form, told)
    finally:
        metrics.count_stream(-1)
        if stopped_by == CLIENT_LEFT:
            client_left()


def _break_off(form: Form, told: Mapping[str, Any]) -> bytes:
    last = form.break_off(told)
    if last is None:
        # gunicorn closes the connection without ending the answer.
        raise BrokenPipeError(errno.EPIPE, told["error"])
    return last
