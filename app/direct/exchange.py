"""One request to the model's API and its response, which is one job; knows gevent.

A greenlet reads the response into a bounded buffer and ends the job. The request of the client
reads the buffer, so the job ends when it must, however slowly the client reads.
"""

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import gevent
from gevent import get_hub

from app.conversation.errors import AnswerFailed
from app.direct.answer_reader import Answer, AnswerReader, BadStream, read_message
from app.direct.buffer import Buffer
from app.direct.failures import UpstreamRefused, broken, ended_by
from app.direct.record import Ending
from app.direct.upstream import UpstreamResponse, read_object_of
from app.records.job import Job
from app.server.hub_yield import yield_to_hub

log = logging.getLogger(__name__)

# Seconds for which one response may be read before others are served.
_TIME_SLICE = 0.001
# Seconds that a connection has to end its response after the answer, to be used again.
_LAST_PATIENCE = 1.0


class Work(NamedTuple):
    """What an exchange does: `send` asks the model's API; `finish` writes the job's end.

    `is_stream`: the client wants a stream. `timeout` is in seconds; None is no limit.
    """

    send: Callable[[], UpstreamResponse]
    finish: Callable[[Answer, Ending | None, AnswerFailed | None], None]
    is_stream: bool
    timeout: float | None


class _Ended(BaseException):
    """Thrown into the greenlet to end it."""


class _TimedOut(_Ended):
    """The job has reached its time limit."""


class Exchange:
    """One exchange. `start` begins it; `read` returns the response."""

    def __init__(self, job: Job, work: Work, heartbeat: float) -> None:
        self.job = job
        #: Why it was ended before the answer was complete.
        self.ending: Ending | None = None
        #: Why there is no answer, or only its beginning.
        self.failure: AnswerFailed | None = None
        #: The answer, if it is not a stream.
        self.message: dict[str, Any] | None = None
        self._work = work
        self._heartbeat = heartbeat
        self._buffer = Buffer()
        self._reader = AnswerReader()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._has_begun = self._has_finished = self._has_sent = self._is_thrown = False

    @property
    def has_sent_error(self) -> bool:
        """Whether the response has an event `error` for its failure."""
        return self._has_sent and self._reader.answer.error is not None

    def start(self) -> None:
        """Begin."""
        self._greenlet = gevent.spawn(self._run)

    def error(self) -> AnswerFailed | None:
        """Why the client does not get the whole answer; known once `read` has ended."""
        if self.ending is None:
            return self.failure
        status = self.ending.status
        return AnswerFailed(_CODES.get(status, status), self.ending.error or _CANCELLED)

    def read(self) -> Generator[bytes]:
        """The bytes of a stream, in whole events; b"" after each `heartbeat` seconds without any.

        Ends with the response; then `ending`, `failure` and `message` are known.
        """
        try:
            while (piece := self._buffer.read(self._heartbeat)) is not None:
                yield piece
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End it if it goes on without a reader, also one that has not begun to read."""
        if not self._buffer.is_closed and not self.end(Ending("cancelled")):
            # It may wait for the reader.
            self._throw()

    def end(self, ending: Ending) -> bool:
        """End it now, without waiting; returns False if it has ended already."""
        if self._has_finished or self.ending is not None:
            return False
        self.ending = ending
        self._throw()
        return True

    def cancel(self) -> None:
        """End it as cancelled, unless it has ended; its record has that once this returns."""
        if self.end(Ending("cancelled")):
            self._finish(self._reader.answer)

    def complete(self, reason: str) -> None:
        """End it as a success: the client has all that it wants, for this reason."""
        self._reader.answer.stop_reason = reason
        self._finish(self._reader.answer)
        self._throw()

    def stop(self, reason: str) -> None:
        """End it because this process ends."""
        self.end(PROCESS_ENDED)

    def _throw(self) -> None:
        # A greenlet that has not begun would never run; a second time would end its end.
        if self._has_begun and not self._is_thrown and self._greenlet is not None:
            self._is_thrown = True
            self._greenlet.kill(_Ended, block=False)

    def _run(self) -> None:
        self._has_begun = True
        try:
            with gevent.Timeout(self._work.timeout, _TimedOut), self._watch_for_wish():
                if self.ending is None:
                    self._ask()
        except _Ended as ended:
            if self.ending is None and not self._has_finished:
                # Otherwise the request of the client has failed.
                self.ending = _TIMED_OUT if isinstance(ended, _TimedOut) else Ending("cancelled")
        except AnswerFailed as failure:
            self.failure = failure
        except Exception as error:
            # The type alone: the message may hold what the client sent.
            bare = RuntimeError(type(error).__name__).with_traceback(error.__traceback__)
            log.error("job %s failed: %s", self.job.id, bare, exc_info=bare)
            self.failure = AnswerFailed("upstream_failed", _BUG)
        finally:
            try:
                self._finish(self._reader.answer)
            finally:
                self._buffer.close()

    @contextmanager
    def _watch_for_wish(self) -> Iterator[None]:
        """End this if a client wishes that, or if the job's folder is removed.

        The mode of the output changes then, or the folder goes: after its files, so the output's
        watcher alone may look too early.
        """
        watchers = [get_hub().loop.stat(path) for path in (self.job.output, self.job.path)]
        for watcher in watchers:
            watcher.start(self._look_for_wish)
        try:
            # It may have come before the watchers were there.
            self._look_for_wish()
            yield
        finally:
            for watcher in watchers:
                watcher.stop()
                watcher.close()

    def _look_for_wish(self) -> None:
        if self.job.wish() is not None or not self.job.exists():
            self.end(Ending("cancelled"))

    def _finish(self, answer: Answer) -> None:
        """Write the job's end, once."""
        if not self._has_finished:
            self._has_finished = True
            self._work.finish(answer, self.ending, self.failure)

    def _ask(self) -> None:
        response = self._work.send()
        try:
            if response.status == 200 and response.is_stream != self._work.is_stream:
                raise broken("The response of the model's API has another type than requested")
            if response.status == 200 and response.is_stream:
                self._pass_stream(response)
            else:
                message = read_object_of(response)
                if not isinstance(message.get("content"), list):
                    raise broken("The response of the model's API is not a message")
                self._finish(read_message(message))
                self.message = message
        finally:
            response.close()

    def _pass_on(self, events: bytes) -> None:
        if events:
            self._has_sent = True
            self._buffer.write(events)

    def _pass_stream(self, response: UpstreamResponse) -> None:
        reader = self._reader = AnswerReader(response.secret)
        answer = reader.answer
        began = time.monotonic()
        while chunk := response.read():
            try:
                events = reader.feed(chunk)
            except BadStream as error:
                raise broken(f"The response of the model's API is not usable: {error}") from None
            if answer.error is not None and not self._has_sent:
                # Its failure has a status: nothing was sent yet.
                raise ended_by(*answer.error)
            if answer.is_complete:
                self._end_stream(response, events)
                return
            self._pass_on(events)
            if answer.error is not None:
                raise ended_by(*answer.error)
            if time.monotonic() - began > _TIME_SLICE:
                yield_to_hub()
                began = time.monotonic()
        raise broken("The response of the model's API has broken off")

    def _end_stream(self, response: UpstreamResponse, events: bytes) -> None:
        """Pass the last events on, and read the end of the response."""
        # Finished before the client sees the end: it may ask for the record at once.
        events, end = _before_end(events)
        self._pass_on(events)
        self._finish(self._reader.answer)
        self._pass_on(end)
        self._buffer.close()
        with suppress(UpstreamRefused, gevent.Timeout), gevent.Timeout(_LAST_PATIENCE):
            response.read()


def _before_end(events: bytes) -> tuple[bytes, bytes]:
    """The events before the last one of a message, and the rest."""
    at = events.rfind(b"event: message_stop")
    return (events[:at], events[at:]) if at > 0 else (b"", events)


#: The process that reads the response ends.
PROCESS_ENDED = Ending("lost", error="The gateway process that ran the job has ended")
_TIMED_OUT = Ending("timed_out", "timeout", "The job took longer than its time limit (timeout)")
_CODES = {"lost": "job_lost", "timed_out": "timeout"}
_CANCELLED = "The job was cancelled"
_BUG = "The gateway failed; its log has details"
