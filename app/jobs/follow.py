"""The followers of a job, which read its output while it grows; knows gevent.

libev's stat watcher (over inotify) wakes a reader some 50 µs after a write. It notices growth
and a change of mode, with which a job's end wakes its readers (`app.records.output_file.ring`).
It compares times in whole seconds, so it may miss a mere touch. The queue is watched in the same
way: that file is replaced whenever a place in it changes.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from gevent import get_hub
from gevent.event import Event

from app import processes
from app.records.job import Job
from app.records.job_records import JobEnd
from app.records.output_file import data_end, is_output, open_output, status_of
from app.runs.detect_dead import supervisor_of
from app.runs.queue_file import Place, place_of, queue_file
from app.server.hub_yield import yield_to_hub
from app.state.files import read_at

log = logging.getLogger(__name__)

#: Bytes of one read; at a few hundred lines, one chunk keeps the worker busy for less than
#: a millisecond.
CHUNK = 1 << 15

#: A position behind any output, to wait only for the end.
BEYOND = 1 << 62
#: The event id behind the last event of a job that has ended.
END = "end"

_READABLE = 1


class Watch:
    """Wakes a reader of a job: its output grew, it ended, or its supervisor died.

    A context manager. No wake-up after entry is missed; some may be spurious.
    """

    def __init__(self, job: Job, close_if_dead: Callable[[Job], object]) -> None:
        self._job = job
        self._start: int | None = None
        self._close_if_dead = close_if_dead
        self._event = Event()
        self._output = -1
        self._end: JobEnd | None = None
        self._supervisor: int | None = None
        self._watchers: list[Any] = []
        self._queue: Any = None

    def __enter__(self) -> "Watch":
        self._output = open_output(self._job.output)
        stat = get_hub().loop.stat(self._job.output)
        stat.start(self._event.set)
        self._watchers.append(stat)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave_queue()
        for watcher in self._watchers:
            watcher.stop()
            watcher.close()
        for descriptor in (self._output, self._supervisor):
            if descriptor is not None:
                os.close(descriptor)

    def wake(self) -> None:
        """Wake the reader for another reason."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait until something may have happened; False if nothing did within so many seconds."""
        if self._supervisor is None and self.end() is None:
            self._find_supervisor()
        woken = self._event.wait(seconds)
        self._event.clear()
        return bool(woken)

    def span_start(self) -> int | None:
        """Where the job begins in its run's output; None if that is not known yet."""
        if self._start is None:
            self._start = self._job.span_start() if self._end is None else self._end.span_start
            if self._start is not None and self._is_replaced():
                os.close(self._output)
                self._output = open_output(self._job.output)
        return self._start

    def _is_replaced(self) -> bool:
        """Whether the output is another file than at entry: another run serves the job now.

        That may be the prepared one, after a kept run that did not begin the job.
        """
        there = status_of(self._job.output) is not None
        return there and not is_output(self._job.output, self._output)

    def read(self, position: int) -> bytes:
        """At most one chunk of the job's output; empty at its end.

        A hole is the end, too: only a job makes one, never the CLI.
        """
        chunk = os.pread(self._output, CHUNK, position)
        if len(chunk) == CHUNK and not any(chunk):
            chunk = chunk[: data_end(self._output, position) - position]
        # Looked at after the read: since the job's end, its run may have printed for the next one.
        end = self.end() if chunk else None
        if end is not None and end.span_end is not None:
            return chunk[: max(0, end.span_end - position)]
        return chunk

    def exists(self) -> bool:
        """Whether the job still exists: its folder may have been removed by hand."""
        if self._job.exists():
            return True
        self._close_if_dead(self._job)
        return False

    def place(self) -> Place | None:
        """The job's place in the queue; None if it is not queued."""
        if self._supervisor is not None or self._job.is_claimed():
            self._leave_queue()
            return None
        if self._queue is None:
            self._queue = get_hub().loop.stat(queue_file(self._job.state))
            self._queue.start(self._event.set)
        return place_of(self._job)

    def _leave_queue(self) -> None:
        if self._queue is not None:
            self._queue.stop()
            self._queue.close()
            self._queue = None

    def end(self) -> JobEnd | None:
        """How the job ended, or None if it has not."""
        # A job can write such a record, too; its supervisor removes that.
        if self._end is None and self._job.has_ended() and not self._job.links.is_live():
            self._end = self._job.end()
        return self._end

    def _find_supervisor(self) -> None:
        try:
            supervisor = supervisor_of(self._job)
            self._supervisor = supervisor and processes.open_process(supervisor)
        except OSError as error:
            # It may exist: the next wake-up looks again.
            log.error("cannot look for the supervisor of job %s: %s", self._job.id, error)
            return
        if self._supervisor is None:
            # Not started yet, or dead: then the job is closed.
            self._close_if_dead(self._job)
            return
        death = get_hub().loop.io(self._supervisor, _READABLE)
        death.start(self._supervisor_ended, death)
        self._watchers.append(death)

    def _supervisor_ended(self, watcher: Any) -> None:
        watcher.stop()
        if self._supervisor is not None:
            os.close(self._supervisor)
        self._supervisor = None
        self._event.set()


class Follower:
    """Reads a job's output from a position to its end, in chunks.

    Iterating yields bytes as they arrive, and b"" after each `heartbeat` seconds without any.
    While the job is queued, it yields the place: at first, when it changes, and instead of b"".
    It ends when everything has been read, soon after `stop`, or when the job was removed.
    """

    def __init__(self, watch: Watch, position: int, heartbeat: float) -> None:
        self._watch = watch
        self._position = position
        self._heartbeat = heartbeat
        self._deadline: float | None = None
        #: Where the last chunk begins in the output.
        self.chunk_at = position
        self.stopped_by: str | None = None

    def stop(self, reason: str) -> None:
        """End the iteration early; the first reason is kept in `stopped_by`."""
        self.stopped_by = self.stopped_by or reason
        self._watch.wake()

    def stop_after(self, seconds: float) -> None:
        """End the iteration after so many seconds at the latest."""
        self._deadline = time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes | Place]:
        place = None
        while self.stopped_by is None:
            chunk = self._read()
            if len(chunk) == CHUNK:
                yield chunk
                # Reading a file and writing to a ready socket never switch to other greenlets.
                yield_to_hub()
                continue
            # The output may have grown before the end was written.
            has_ended = self._watch.end() is not None
            if has_ended and not chunk:
                chunk = self._read()
            if chunk:
                yield chunk
            elif has_ended:
                return
            if has_ended:
                continue
            previous, place = place, self._watch.place()
            if place not in (None, previous):
                yield place
                continue
            patience = self._heartbeat
            if self._deadline is not None:
                patience = min(patience, self._deadline - time.monotonic())
                if patience <= 0:
                    return
            if not self._watch.wait(patience):
                if not self._watch.exists():
                    return
                yield place or b""

    def _read(self) -> bytes:
        """The next chunk; empty if there is none yet, or if the job has not begun."""
        start = self._watch.span_start()
        if start is None:
            return b""
        self.chunk_at = max(self._position, start)
        chunk = self._watch.read(self.chunk_at)
        self._position = self.chunk_at + len(chunk)
        return chunk


def is_position(job: Job, text: str) -> bool:
    """Whether this can be the id of an event of this job: a position behind a line.

    The beginning counts, and so does the end of a last line without a newline.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 18 or str(int(text)) != text:
        return False
    position, end = int(text), job.end()
    first = end.span_start if end is not None else job.span_start() or 0
    last = end.span_end if end is not None and end.span_end is not None else job.size()
    if position in (0, first):
        return True
    if not first < position <= last:
        return False
    try:
        is_behind_line = read_at(job.output, 1, position - 1) == b"\n"
    except OSError:
        # A job has removed or replaced the output.
        return False
    return is_behind_line or (position == last and end is not None)


def wait_for_end(watch: Watch, seconds: float) -> bool:
    """Wait until a job has ended; False if it has not within so many seconds."""
    deadline = time.monotonic() + seconds
    while watch.end() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        watch.wait(left)
    return True
