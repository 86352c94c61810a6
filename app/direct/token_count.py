"""A count of a request's tokens by the model's API, which is no job; knows gevent."""

from collections.abc import Callable, Mapping
from typing import Any

import gevent

from app.conversation.errors import AnswerFailed
from app.direct.failures import broken
from app.direct.upstream import UpstreamResponse, read_object_of
from app.errors import ShuttingDown
from app.http.disconnect import DISCONNECTED, watch_connection
from app.jobs.service import JobService

#: Seconds that a count may take.
PATIENCE = 60.0


class _Count:
    """One count, in a greenlet: so it can be ended while it waits."""

    def __init__(self, send: Callable[[], UpstreamResponse]) -> None:
        self._send = send
        self._stopped_by: str | None = None
        self._greenlet = gevent.spawn(self._ask)

    def stop(self, reason: str) -> None:
        """End it, also from the hub."""
        self._stopped_by = self._stopped_by or reason
        self._greenlet.kill(block=False)

    def result(self) -> dict[str, Any]:
        """The response. Raises AnswerFailed and ShuttingDown."""
        self._greenlet.join(PATIENCE)
        if not self._greenlet.dead:
            raise broken(f"The model's API has not answered within {PATIENCE:.0f} seconds")
        result = self._greenlet.value
        if isinstance(result, AnswerFailed):
            raise result
        if isinstance(result, dict):
            return result
        if self._stopped_by == DISCONNECTED:
            raise AnswerFailed("cancelled", "The client disconnected")
        raise ShuttingDown("the same path")

    def _ask(self) -> dict[str, Any] | AnswerFailed | None:
        """The response, or why there is none: gevent would write an exception to the log.

        Nothing returned has a traceback, which would keep a connection from being closed.
        """
        try:
            response = self._send()
            try:
                return read_object_of(response)
            finally:
                response.close()
        except AnswerFailed as failure:
            return failure.with_traceback(None)
        except gevent.GreenletExit:
            return None


def count_tokens(
    send: Callable[[], UpstreamResponse], jobs: JobService, environ: Mapping[str, Any]
) -> dict[str, Any]:
    """The response to a request that `send` sends, for the client of the request with this environ.

    It ends when the client disconnects, and with this process. Raises AnswerFailed and
    ShuttingDown.
    """
    count = _Count(send)
    try:
        with (
            jobs.ends_at_stop(count),
            watch_connection(environ, lambda: count.stop(DISCONNECTED)),
        ):
            return count.result()
    finally:
        count.stop("")
