"""A client that resumes its stream."""

import threading
import time
from contextlib import suppress

import requests
from urllib3.exceptions import HTTPError

from tests.support.gateway import PATIENCE, Event, Gateway, Stream, eventually


class Listener(threading.Thread):
    """A client as browsers are: whenever its stream breaks off, it resumes it, until `done`."""

    def __init__(self, gateway: Gateway, stream: Stream) -> None:
        super().__init__(daemon=True)
        self.job_id = stream.job_id
        #: Those that were received whole.
        self.events: list[Event] = []
        #: How often the stream ended before the job did.
        self.breaks = 0
        self._gateway = gateway
        self._stream = stream
        self.start()

    @property
    def received(self) -> int:
        """Bytes of the stream that it listens to now."""
        return self._stream.received

    def run(self) -> None:
        """Listen until `done`, or until it is too late."""
        deadline = time.monotonic() + 2 * PATIENCE
        while time.monotonic() < deadline:
            # The connection may break in the middle of anything.
            with suppress(HTTPError):
                self._listen()
            if self.events and self.events[-1].name == "done":
                return
            self.breaks += 1
            eventually(self._come_back)

    def _listen(self) -> None:
        for event in self._stream:
            if event.name in ("message", "done"):
                self.events.append(event)

    def _come_back(self) -> bool:
        try:
            self._stream = self._gateway.resume(self.job_id, after=self._last_id())
        except requests.ConnectionError:
            # The gateway is down.
            return False
        return True

    def _last_id(self) -> str | None:
        return self.events[-1].id if self.events else None
