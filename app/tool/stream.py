"""A job's stream that outlives its connection: it goes on after the last event that came whole."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import requests
import urllib3

from app.tool.client import Client
from app.tool.events import Event, read_events
from app.tool.failure import FAILED, Failure, Refused, Unreachable

#: Seconds in which a gateway that went away may come back.
RETURN_PATIENCE = 120.0
#: Seconds between two looks for it.
_LOOK = 0.2
_CHUNK = 1 << 16


class JobStream:
    """The events of one job, each once, the last of them `done`.

    `response` is an open stream of the job's; without one it is read from its start. When the
    gateway reloads or dies, or the connection breaks, the stream is asked for again; `note` is
    told so. With `silence` it ends, without `done`, when nothing comes for so many seconds.
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
        self._response = response or self._ask()

    def __enter__(self) -> "JobStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def __iter__(self) -> Iterator[Event]:
        while True:
            why, before = "the connection broke off", self._last
            try:
                for event in read_events(_chunks(self._response)):
                    if event.name == "error":
                        why = self._why(event)
                        break
                    self._last = event.id or self._last
                    yield event
                    if event.name == "done":
                        return
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if self._silence and isinstance(error, urllib3.exceptions.ReadTimeoutError):
                    return
                why = f"the connection broke off ({type(error).__name__})"
            self._response.close()
            self._note(f"{why}; going on with the job")
            if self._last == before:
                # Whatever breaks it may do so again at once.
                time.sleep(_LOOK)
            self._response = self._ask_again()

    def _ask(self) -> requests.Response:
        headers = {} if self._last is None else {"Last-Event-ID": self._last}
        path = f"/chat/{self.job_id}"
        return self._client.open("GET", path, headers=headers, silence=self._silence)

    def _ask_again(self) -> requests.Response:
        deadline = time.monotonic() + RETURN_PATIENCE
        while True:
            try:
                return self._ask()
            except Failure as error:
                away = isinstance(error, Unreachable) or (
                    isinstance(error, Refused) and error.code == "gateway_stops"
                )
                if not away or time.monotonic() > deadline:
                    raise self._given_up(str(error), error.status) from None
                time.sleep(_LOOK)

    def _why(self, event: Event) -> str:
        """Why the gateway ends a stream; raises Failure if asking again would not help."""
        fields: dict[str, Any] = json.loads(event.data)
        if fields.get("code") != "stream_ended":
            raise self._given_up(f"the stream failed: {fields.get('error')}", FAILED)
        return str(fields.get("error"))

    def _given_up(self, why: str, status: int) -> Failure:
        return Failure(
            f"{why}. The job may go on: claudecode2api logs --follow {self.job_id}", status
        )


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes."""
    chunks: Iterator[bytes] = response.raw.stream(_CHUNK, decode_content=False)
    return chunks
