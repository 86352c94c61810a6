"""A job's event stream, which is resumed after the last complete event when it breaks."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import requests
import urllib3

from app.tool.client import Client
from app.tool.events import Event, read_events
from app.tool.failure import FAILED, Failure, RequestRefused, Unreachable

#: Seconds to wait for a gateway that is away.
RETURN_PATIENCE = 120.0
#: Seconds between two attempts to reach it.
_PAUSE = 0.2
_CHUNK = 1 << 16

_T = TypeVar("_T")


class JobStream:
    """The events of one job, each once; the last is `done`.

    `response` is an open stream of the job; without it, the stream is read from its start. When
    the gateway reloads or dies, or the connection breaks, the stream is requested again, and
    `note` is called. With `silence`, it ends without `done` after so many seconds without a byte.
    """

    def __init__(
        self,
        client: Client,
        job_id: str,
        note: Callable[[str], None],
        response: requests.Response | None = None,
        silence: float | None = None,
    ) -> None:
        self.job_id = job_id
        self._silence = silence
        self._client = client
        self._note = note
        self._last: str | None = None
        self._response = response or self._open()

    def __enter__(self) -> "JobStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def __iter__(self) -> Iterator[Event]:
        while True:
            reason, before = "the connection broke", self._last
            try:
                for event in read_events(_chunks(self._response)):
                    if event.name == "error":
                        reason = self._reason(event)
                        break
                    self._last = event.id or self._last
                    yield event
                    if event.name == "done":
                        return
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if self._silence and isinstance(error, urllib3.exceptions.ReadTimeoutError):
                    return
                reason = f"the connection broke ({type(error).__name__})"
            self._response.close()
            self._note(f"{reason}; resuming the stream")
            if self._last == before:
                # The same may happen again at once.
                time.sleep(_PAUSE)
            try:
                self._response = when_back(self._open)
            except Failure as error:
                raise self._failure(str(error), error.status) from None

    def _open(self) -> requests.Response:
        headers = {} if self._last is None else {"Last-Event-ID": self._last}
        path = f"/chat/{self.job_id}"
        return self._client.open("GET", path, headers=headers, silence=self._silence)

    def _reason(self, event: Event) -> str:
        """Why the gateway ended the stream. Raises Failure if it cannot be resumed."""
        fields: dict[str, Any] = json.loads(event.data)
        if fields.get("code") != "stream_ended":
            raise self._failure(f"the stream failed: {fields.get('error')}", FAILED)
        return str(fields.get("error"))

    def _failure(self, reason: str, status: int) -> Failure:
        return Failure(
            f"{reason}. The job may still be running: claudecode2api logs --follow {self.job_id}",
            status,
        )


def when_back(request: Callable[[], _T]) -> _T:
    """What a request gives, repeated while the gateway is away. Raises Failure."""
    deadline = time.monotonic() + RETURN_PATIENCE
    while True:
        try:
            return request()
        except Failure as error:
            away = isinstance(error, Unreachable) or (
                isinstance(error, RequestRefused) and error.code == "gateway_stops"
            )
            if not away or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """The body, as it arrives."""
    chunks: Iterator[bytes] = response.raw.stream(_CHUNK, decode_content=False)
    return chunks
