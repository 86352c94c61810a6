"""A JSON response whose value may come late.

Clients give up a response without a byte: Node's fetch after 300 s. So after some time the head is
sent, and white space, which JSON allows before a value, until the value is there.
"""

import errno
import json
import logging
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

from flask import Response, jsonify

from app.errors import GatewayError

log = logging.getLogger(__name__)

#: Yields whenever a client should see that its request is alive, and returns the value; None if the
#: client has gone.
Value = Generator[None, None, dict[str, Any] | None]


def late_json(value: Value, head_delay: float, close: Callable[[], None]) -> Response:
    """The response, whose head waits for the value, or for `head_delay` seconds.

    An error before the head is raised. After it, the body is broken off, because the status 200 has
    been sent. `close` is called at the end of a late response: it ends what the value waits for,
    also if `value` has not begun.
    """
    begun = time.monotonic()
    try:
        while time.monotonic() - begun < head_delay:
            next(value)
    except StopIteration as ended:
        # Nothing reads the response to a client that has gone.
        return Response(status=499) if ended.value is None else jsonify(ended.value)
    response = Response(_late(value), content_type="application/json")
    response.call_on_close(close)
    return response


def _late(value: Value) -> Iterator[bytes]:
    try:
        while True:
            yield b" "
            next(value)
    except StopIteration as ended:
        yield json.dumps(ended.value).encode() + b"\n"
    except GatewayError as error:
        log.info("a response is broken off: %s", error.code)
        raise BrokenPipeError(errno.EPIPE, "the response has failed after its head") from None
