"""The answer to a request for a response, streamed or not, made of the events of its job."""

import errno
import logging
import time
from collections.abc import Callable, Generator, Iterator
from itertools import chain

from flask import Response

from app import sse
from app.conversation.events import AnswerStart, Comment, Event
from app.errors import GatewayError, JobContinuesAfterShutdown
from app.http.late_json import Value, late_json
from app.jobs.job_json import seconds_between
from app.metrics import Metrics
from app.records.job import Job
from app.responses import output_items
from app.responses.errors import error_object
from app.responses.response_builder import ResponseBuilder

log = logging.getLogger(__name__)

#: The beginning of Unix time.
EPOCH = "1970-01-01T00:00:00.000Z"


class ResponseAnswer:
    """The answer of one request.

    Each event is passed to `note` before the client gets what comes of it, and `finish` is called
    before the last event of a response that has not failed. A response `in_background` goes on
    without its client, and its first events come at once.
    """

    def __init__(
        self,
        builder: ResponseBuilder,
        job: Job,
        metrics: Metrics,
        note: Callable[[Event], None],
        finish: Callable[[], None],
        *,
        in_background: bool,
    ) -> None:
        self._builder = builder
        self._job = job
        self._metrics = metrics
        self._note = note
        self._finish = finish
        self._in_background = in_background

    def stream(self, events: Iterator[list[Event]], after: int = -1) -> Iterator[bytes]:
        """The events of the response as they come, after the one with this number."""
        self._metrics.count_stream(1)
        try:
            for batch in events:
                yield b"".join(self._frames(batch, after))
        except JobContinuesAfterShutdown as error:
            if self._in_background:
                # It has not failed: its client can go on from the last event.
                raise BrokenPipeError(errno.EPIPE, "the response goes on elsewhere") from None
            yield b"".join(map(_frame, self._failure(error)))
        except GatewayError as error:
            yield b"".join(map(_frame, self._failure(error)))
        except BrokenPipeError:
            raise
        except Exception as error:
            log.error("the response of job %s failed: %s", self._job.id, type(error).__name__)
            yield b"".join(map(_frame, self._failure(GatewayError())))
        finally:
            self._metrics.count_stream(-1)

    def in_one_piece(self, events: Generator[list[Event]], head_delay: float) -> Response:
        """The whole response, after the last event; its head waits for `head_delay` seconds."""
        return late_json(self._response(events), head_delay, events.close)

    def _response(self, events: Iterator[list[Event]]) -> Value:
        for event in chain.from_iterable(events):
            if isinstance(event, Comment):
                yield
            else:
                for _ in self._wire_events(event):
                    pass
        # Otherwise the client has disconnected.
        return self._builder.response if self._builder.is_complete else None

    def _frames(self, events: list[Event], after: int) -> Iterator[bytes]:
        if self._in_background:
            yield from (_frame(each) for each in self._builder.begin() if _is_new(each, after))
        for event in events:
            if isinstance(event, Comment):
                # Where the answer was cut, its job may take a while to end.
                if not self._builder.is_complete:
                    yield sse.comment(event.text)
            else:
                yield from (_frame(e) for e in self._wire_events(event) if _is_new(e, after))

    def _wire_events(self, event: Event) -> Iterator[output_items.Event]:
        self._note(event)
        if isinstance(event, AnswerStart):
            yield from self._builder.begin()
        for each in self._builder.add(event, ended_at(self._job)):
            if self._builder.is_complete:
                self._finish()
            yield each

    def _failure(self, error: GatewayError) -> list[output_items.Event]:
        found = error_object(error)
        return list(self._builder.fail(str(found["code"]), str(found["message"])))


def ended_at(job: Job) -> int:
    """When a job ended, in Unix time; now, if it runs."""
    end = job.end()
    return int(time.time() if end is None else seconds_between(EPOCH, end.ended_at))


def _is_new(event: output_items.Event, after: int) -> bool:
    return int(event["sequence_number"]) > after


def _frame(event: output_items.Event) -> bytes:
    return sse.event(str(event["type"]), event)
