"""The error response to a request that gunicorn cannot parse."""

import json
import logging
from uuid import uuid4

from gunicorn.http import errors

from app.errors import (
    BadRequest,
    ExpectationFailed,
    GatewayError,
    HeadersTooLarge,
    InternalError,
    TransferCodingNotSupported,
    UriTooLong,
)
from app.server.connection import Connection

log = logging.getLogger(__name__)

# gunicorn's exceptions; the first class that matches counts.
_ERRORS: dict[type[BaseException], GatewayError] = {
    errors.LimitRequestLine: UriTooLong(),
    errors.LimitRequestHeaders: HeadersTooLarge(),
    errors.ExpectationFailed: ExpectationFailed(),
    errors.UnsupportedTransferCoding: TransferCodingNotSupported(),
    errors.ParseException: BadRequest(),
}


def send_error(connection: Connection, cause: BaseException) -> bool:
    """Log the error and answer it as JSON. Returns whether a response was sent.

    gunicorn would answer an HTML page and log the exception's message, which may quote a header.
    """
    matches = (error for kind, error in _ERRORS.items() if isinstance(cause, kind))
    error = next(matches, InternalError())
    request_id = uuid4().hex
    log.warning(
        "a request is refused: %s",
        type(cause).__name__,
        extra={"request_id": request_id, "status": error.status},
    )
    if connection.response is not None and connection.response.headers_sent:
        # It would look like a part of the response that has begun.
        return False
    body = json.dumps({"detail": error.detail, "code": error.code, "request_id": request_id})
    head = (
        f"HTTP/1.1 {error.status} {error.detail}",
        "Connection: close",
        f"X-Request-ID: {request_id}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    try:
        connection.sendall("\r\n".join((*head, "", body)).encode())
    except OSError:
        log.debug("request %s: the client has disconnected", request_id)
        return False
    return True
