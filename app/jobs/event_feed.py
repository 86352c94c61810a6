"""The events of jobs, questions and runs for the clients of one worker; knows gevent.

One greenlet per worker reads the journal (`app.records.event_journal`) and renders what has
changed; every client takes what its user may see from there. A client that comes back reads what
it has missed from the journal itself.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import gevent
from gevent import get_hub
from gevent.event import Event

from app import sse
from app.auth.users import User
from app.jobs.event_rendering import EventRendering, Rendered
from app.jobs.service import JobService
from app.jobs.store import Spool
from app.records import event_journal
from app.records.event_journal import Position

log = logging.getLogger(__name__)

#: Seconds in which changes are put together: a job that starts and asks makes one event of it.
TOGETHER = 0.02
# Seconds after which the journal is looked at although nothing has woken the worker.
_LOOK_INTERVAL = 15.0
# What a worker keeps for clients that are a little behind.
_MOST_BATCHES = 200
_MOST_BYTES = 8 << 20

#: No journal has this name.
_NOWHERE = Position("-", 0)
RESET = sse.event("reset", {})


class Batch(NamedTuple):
    """Events between two positions of the journal; with `is_reset`, some may be missing."""

    end: Position
    rendered: list[Rendered]
    is_reset: bool = False

    @property
    def size(self) -> int:
        """Bytes of all events."""
        return sum(len(each.frame) for each in self.rendered)


class EventFeed:
    """The events of one state folder, as one worker sees them."""

    def __init__(self, spool: Spool, jobs: JobService, rendering: EventRendering) -> None:
        self._spool = spool
        self._jobs = jobs
        self._rendering = rendering
        self._clients: set[Event] = set()
        self._batches: dict[Position, Batch] = {}
        self._size = 0
        self._position: Position | None = None
        self._changed = Event()
        self._is_watching = False

    @property
    def stopped_by(self) -> str | None:
        """Why this process serves no events any more, or None."""
        return self._jobs.stopped_by

    @contextmanager
    def follow(self, user: User, after: str | None, heartbeat: float) -> Iterator["EventReader"]:
        """The events for a user, behind the event id `after`, or from now on."""
        woken = Event()
        start = None if after is None else event_journal.parse_position(after)
        end = self._end()
        reader = EventReader(self, user, woken, start or end, heartbeat)
        reader.is_reset = after is not None and start is None
        self._clients.add(woken)
        if not self._is_watching:
            self._is_watching, self._position = True, end
            gevent.spawn(self._watch)
        try:
            with self._jobs.ends_at_stop(reader):
                yield reader
        finally:
            self._clients.discard(woken)
            if not self._clients:
                self._changed.set()

    def _end(self) -> Position:
        """The end of the journal; `_NOWHERE` while there is none."""
        with suppress(OSError):
            return event_journal.end_of(self._spool.state)
        with suppress(OSError):
            # A job has removed the folder.
            self._spool.prepare()
            return event_journal.end_of(self._spool.state)
        return _NOWHERE

    def after(self, position: Position) -> Batch | None:
        """What comes behind a position; None if nothing does."""
        batch, here = self._batches.get(position), self._position
        if batch is not None or here is None or position == here:
            return batch
        if position.journal == here.journal and position.offset > here.offset:
            # It comes with the next look at the journal.
            return None
        try:
            return self._read(position, here)
        except OSError:
            return None

    def _watch(self) -> None:
        """Read the journal for all clients, until there are none."""
        path = event_journal.journal_file(self._spool.state)
        watcher = get_hub().loop.stat(path)
        watcher.start(self._changed.set)
        try:
            while self._clients:
                if self._changed.wait(_LOOK_INTERVAL):
                    time.sleep(TOGETHER)
                self._changed.clear()
                try:
                    self._advance()
                except OSError as error:
                    log.debug("cannot read the journal of events: %s", error)
                    with suppress(OSError):
                        self._spool.prepare()
        finally:
            watcher.stop()
            watcher.close()
            self._batches.clear()
            self._size, self._is_watching = 0, False

    def _advance(self) -> None:
        start = self._position
        if start is None:
            return
        batch = self._read(start, None)
        if batch is None or batch.end == start:
            return
        self._batches[start] = batch
        self._position = batch.end
        self._size += batch.size
        while len(self._batches) > _MOST_BATCHES or self._size > _MOST_BYTES:
            self._size -= self._batches.pop(next(iter(self._batches))).size
        for woken in self._clients:
            woken.set()

    def _read(self, start: Position, until: Position | None) -> Batch | None:
        found = event_journal.read(self._spool.state, start, until)
        if not found.is_complete:
            return Batch(found.end, [Rendered(None, RESET)], is_reset=True)
        return Batch(found.end, self._rendering.render(found.lines)) if found.lines else None


class EventReader:
    """The events for one client. Iterating yields frames, and b"" after each silence.

    It ends soon after `stop`.
    """

    def __init__(
        self, feed: EventFeed, user: User, woken: Event, position: Position, heartbeat: float
    ) -> None:
        self._feed = feed
        self._user = user
        self._woken = woken
        self._position = position
        self._heartbeat = heartbeat
        self.is_reset = False
        self.stopped_by: str | None = None

    def stop(self, reason: str) -> None:
        """End the iteration early; the first reason is kept in `stopped_by`."""
        self.stopped_by = self.stopped_by or reason
        self._woken.set()

    def __iter__(self) -> Iterator[bytes]:
        yield (RESET if self.is_reset else b"") + self._identity()
        sent = self._position
        while self.stopped_by is None:
            self._woken.clear()
            batch = self._feed.after(self._position)
            if batch is not None and batch.end != self._position:
                self._position = batch.end
                frames = [each.frame for each in batch.rendered if each.is_for(self._user)]
                if frames:
                    # The last event has the id: a client that misses one gets all of them again.
                    frames[-1] = frames[-1][:-1] + self._identity()
                    sent = self._position
                    yield b"".join(frames)
                continue
            if not self._woken.wait(self._heartbeat):
                yield b"" if sent == self._position else self._identity()
                sent = self._position

    def _identity(self) -> bytes:
        return f"id: {self._position}\n\n".encode()
